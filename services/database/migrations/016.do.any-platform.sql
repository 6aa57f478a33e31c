-- Which platforms there are is not for this database to say.
alter table templates drop constraint templates_platform_check;
alter table designs drop constraint designs_platform_check;
