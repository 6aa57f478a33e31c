-- 2^31 minor units are 21 million of a currency with two decimals, which is little money in some.
alter table templates alter column price_cents type bigint;
