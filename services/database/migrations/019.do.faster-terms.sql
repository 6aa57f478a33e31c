-- What rows are found by, in half of the time. The functions answer what they answered before, so the index that they have filled stays as it is:
-- `list-functions.test.ts` compares them with those of the migrations `lists` and `list-terms`.

create or replace function list_words_2(texts text[]) returns text[] language plpgsql immutable strict parallel safe as $$
declare
  others constant text :=
    '\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02e9\u02ed\u02ef-\u02ff\u037e\u0385' ||
    '\u0387\u055a-\u055f\u0589-\u058a\u05be\u05c0\u05c3\u05c6\u05f3-\u0605\u0609-\u060a\u060c-\u060d\u061b-\u061f\u066a-\u066d\u06d4\u06dd' ||
    '\u0700-\u070f\u07f7-\u07f9\u0830-\u083e\u085e\u0890-\u0891\u08e2\u0964-\u0965\u0970\u09fd\u0a76\u0af0\u0c77\u0c84\u0df4\u0e3f\u0e4f' ||
    '\u0e5a-\u0e5b\u0f04-\u0f12\u0f14\u0f3a-\u0f3d\u0f85\u0fd0-\u0fda\u104a-\u104f\u10fb\u1360-\u1368\u1400\u166e\u1680\u169b-\u169c' ||
    '\u16eb-\u16ed\u1735-\u1736\u17d4-\u17d6\u17d8-\u17da\u1800-\u180a\u180e\u1944-\u1945\u1a1e-\u1a1f\u1aa0-\u1aa6\u1aa8-\u1aad\u1b4e-\u1b4f' ||
    '\u1b5a-\u1b60\u1b7d-\u1b7f\u1bfc-\u1bff\u1c3b-\u1c3f\u1c7e-\u1c7f\u1cc0-\u1cc7\u1cd3\u2000-\u2070\u2074-\u207e\u2080-\u208e\u20a0-\u2101' ||
    '\u2103-\u2106\u2108-\u2109\u2114\u2116-\u2118\u211e-\u2123\u2125\u2127\u2129\u212e\u213a-\u213b\u2140-\u2144\u214a-\u214d\u214f-\u215f' ||
    '\u2189-\u27ff\u2900-\u2bff\u2cf9-\u2cfc\u2cfe-\u2cff\u2d70\u2e00-\u2e2e\u2e30-\u2e5d\u2ff0-\u3004\u3008-\u3020\u3030\u3036-\u3037' ||
    '\u303d-\u303f\u309b-\u309c\u30a0\u30fb\u3190-\u319f\u31c0-\u31ef\u3220-\u325f\u327f-\u32cf\u32ff\u3358-\u33ff\u4dc0-\u4dff\ua4fe-\ua4ff' ||
    '\ua60d-\ua60f\ua673\ua67e\ua6f2-\ua716\ua720-\ua721\ua789-\ua78a\ua830-\ua839\ua874-\ua877\ua8ce-\ua8cf\ua8f8-\ua8fa\ua8fc\ua92e-\ua92f' ||
    '\ua95f\ua9c1-\ua9cd\ua9de-\ua9df\uaa5c-\uaa5f\uaade-\uaadf\uaaf0-\uaaf1\uab5b\uab6a-\uab6b\uabeb\ufd3e-\ufd3f\ufe10-\ufe19\ufe30-\ufe6b' ||
    '\ufeff-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\ufffd\U00010100-\U0001013f\U00010190-\U0001019c\U000101d0-\U000101fc' ||
    '\U000102e1-\U000102fb\U0001039f\U000103d0\U0001056f\U00010857\U0001091f\U0001093f\U00010a50-\U00010a58\U00010a7f\U00010af0-\U00010af6' ||
    '\U00010b39-\U00010b3f\U00010b99-\U00010b9c\U00010d6e\U00010ead\U00010ed0\U00010f55-\U00010f59\U00010f86-\U00010f89\U00011047-\U0001104d' ||
    '\U000110bb-\U000110c1\U000110cd\U00011140-\U00011143\U00011174-\U00011175\U000111c5-\U000111c8\U000111cd\U000111db\U000111dd-\U000111df' ||
    '\U00011238-\U0001123d\U000112a9\U000113d4-\U000113d8\U0001144b-\U0001144f\U0001145a-\U0001145d\U000114c6\U000115c1-\U000115d7' ||
    '\U00011641-\U00011643\U00011660-\U0001166c\U000116b9\U0001173c-\U0001173e\U0001183b\U00011944-\U00011946\U000119e2\U00011a3f-\U00011a46' ||
    '\U00011a9a-\U00011a9c\U00011a9e-\U00011aa2\U00011b00-\U00011b09\U00011be1\U00011c41-\U00011c45\U00011c70-\U00011c71\U00011ef7-\U00011ef8' ||
    '\U00011f43-\U00011f4f\U00011fff\U00012470-\U00012474\U00012ff1-\U00012ff2\U00013430-\U0001343f\U00016a6e-\U00016a6f\U00016af5' ||
    '\U00016b37-\U00016b3b\U00016b44\U00016d6d-\U00016d6f\U00016e97-\U00016e9a\U00016fe2\U0001bc9f-\U0001bca3\U0001cc00-\U0001ccef' ||
    '\U0001ccfa-\U0001cef0\U0001cf50-\U0001d164\U0001d16a-\U0001d16c\U0001d173-\U0001d17a\U0001d183-\U0001d184\U0001d18c-\U0001d1a9' ||
    '\U0001d1ae-\U0001d1ea\U0001d2c0-\U0001d378\U0001d6c1\U0001d6db\U0001d6fb\U0001d715\U0001d735\U0001d74f\U0001d76f\U0001d789\U0001d7a9' ||
    '\U0001d7c3\U0001da87-\U0001da8b\U0001e5ff\U0001e95e-\U0001e95f\U0001ec71-\U0001ecb4\U0001ed01-\U0001ed3d\U0001f000-\U0001f1ff' ||
    '\U0001f201-\U0001fbef\U0001fbfa';
  written text := pg_catalog.array_to_string(texts, ' ');
  words text[];
begin
  if pg_catalog.octet_length(written) > pg_catalog.char_length(written) then
    written := pg_catalog.regexp_replace(written, '[\u0300-\u036f\ufe00-\ufe0f\U000e0100-\U000e01ef]+', '', 'g');
    written := pg_catalog.regexp_replace(written, '[' || others || ']+', ' ', 'g');
  end if;
  -- All but spaces: each match costs, and most words have nothing but a space between them.
  written := pg_catalog.regexp_replace(written, '[\x01-\x1f\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+', ' ', 'g');
  words := pg_catalog.array_remove(pg_catalog.string_to_array(written, ' '), '');
  if pg_catalog.octet_length(written) <= 1000 or pg_catalog.octet_length(pg_catalog.array_to_string(words, ' ')) <= 1000 then
    return words;
  end if;
  -- A term has 2,046 bytes at most.
  return array(select pg_catalog.left(word, 500) from pg_catalog.unnest(words) word);
end $$;

create or replace function list_terms(owner uuid, words text[], facets text[]) returns tsvector language plpgsql immutable strict parallel safe as $$
declare
  mark text := pg_catalog.encode(pg_catalog.substring(pg_catalog.uuid_send(owner), 11), 'base64');
  of_words text := pg_catalog.array_to_string(words, E'\x01' || mark || ' ');
  of_facets text := pg_catalog.array_to_string(facets, E'\x01' || mark);
begin
  if of_words <> '' then of_words := mark || ' ' || of_words; end if;
  if of_facets <> '' then of_facets := mark || of_facets; end if;
  if of_words <> '' and of_facets <> '' then of_words := of_words || E'\x01'; end if;
  return pg_catalog.array_to_tsvector(pg_catalog.string_to_array(of_words || of_facets, E'\x01'));
end $$;
