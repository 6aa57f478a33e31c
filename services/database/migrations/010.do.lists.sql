-- What the indexes of lists are made of (services/resource/lists/indexes.ts): texts without letter case, words, and terms. They answer the same on
-- every server and for ever, whatever its locale, since an index keeps what they answered: another rule is another function. No body names a
-- function of this schema: a dump is restored under an empty search_path. E'\x01' parts the items of a text, in no word and in no facet.

-- Texts in one letter case and in Unicode's NFD: letters of ASCII, those that are one of these and marks, and the ones below.
create function list_fold(texts text[]) returns text[] language plpgsql immutable strict parallel safe as $$
declare
  capitals constant text :=
    'ÆÐØÞĐĦĲĿŁŊŒŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǄǅǇǈǊǋǤǱǲǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈɊɌɎͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧ' ||
    'ΨΩϏϘϚϜϞϠϢϤϦϨϪϬϮϴϷϹϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴ' ||
    'ҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖẞς';
  small constant text :=
    'æðøþđħĳŀłŋœŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǆǆǉǉǌǌǥǳǳƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉɋɍɏͱͳͷϳαβγδεζηθικλμνξοπρστυφχ' ||
    'ψωϗϙϛϝϟϡϣϥϧϩϫϭϯθϸϲϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэюяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵ' ||
    'ҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդեզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆßσ';
  written text := texts::text;
  found text;
begin
  if pg_catalog.octet_length(written) > pg_catalog.char_length(written) then
    written := pg_catalog.normalize(written, 'NFD');
    -- To translate takes as long as the list is.
    found := pg_catalog.regexp_replace(written, '[^' || capitals || ']+', '', 'g');
    if found <> '' then
      written := pg_catalog.translate(written, found, pg_catalog.translate(found, capitals, small));
    end if;
  end if;
  return pg_catalog.lower(written collate "C")::text[];
end $$;

-- What a folded text is sorted by: its first 100 characters, without accents.
create function list_key(texts text[]) returns text language plpgsql immutable strict parallel safe as $$
begin
  if pg_catalog.octet_length(texts[1]) > pg_catalog.char_length(texts[1]) then
    return pg_catalog.left(pg_catalog.regexp_replace(texts[1], '[\u0300-\u036f]+', '', 'g'), 100);
  end if;
  return pg_catalog.left(texts[1], 100);
end $$;

-- The words of folded texts, without accents. Whatever is no letter, digit or sign of another script parts them.
create function list_words(texts text[]) returns text[] language plpgsql immutable strict parallel safe as $$
declare
  written text := pg_catalog.array_to_string(texts, ' ');
begin
  if pg_catalog.octet_length(written) > pg_catalog.char_length(written) then
    written := pg_catalog.regexp_replace(written, '[\u0300-\u036f]+', '', 'g');
    written := pg_catalog.regexp_replace(written,
      '[\u0080-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u060c\u061b\u061f\u0964\u0965\u2000-\u206f\u3000-\u3004' ||
      '\u3008-\u3020\u30fb\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]+', ' ', 'g');
  end if;
  written := pg_catalog.btrim(
    pg_catalog.regexp_replace(written, '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+', ' ', 'g'));
  if pg_catalog.octet_length(written) <= 1000 then return pg_catalog.string_to_array(written, ' '); end if;
  return array(select pg_catalog.left(word, 250) from pg_catalog.unnest(pg_catalog.string_to_array(written, ' ')) word);
end $$;

-- The items of one column as facets, each by its first 100 characters.
create function list_facets(field text, items text[]) returns text[] language plpgsql immutable strict parallel safe as $$
declare
  made text[];
begin
  if items = '{}' then return '{}'; end if;
  -- Nearly always: nothing to cut, and no item that holds what parts them.
  made := pg_catalog.string_to_array(field || '=' || pg_catalog.array_to_string(items, E'\x01' || field || '='), E'\x01');
  if pg_catalog.cardinality(made) = pg_catalog.cardinality(items) and pg_catalog.octet_length(made::text) <= 1000 then return made; end if;
  return array(select field || '=' || pg_catalog.left(pg_catalog.replace(item, E'\x01', ' '), 100)
    from pg_catalog.unnest(items) item where item is not null);
end $$;

-- What a row is found by. Each term begins with eight characters of its owner, so that a search passes by everybody else's; two owners may share
-- them, so a search compares user_id as well.
create function list_terms(owner uuid, words text[], facets text[]) returns tsvector language plpgsql immutable strict parallel safe as $$
declare
  mark text := pg_catalog.encode(pg_catalog.substring(pg_catalog.uuid_send(owner), 11), 'base64');
  word text := E'\x01' || mark || ' ';
  facet text := E'\x01' || mark;
begin
  return pg_catalog.array_to_tsvector(pg_catalog.string_to_array(pg_catalog.substr(
    coalesce(word || nullif(pg_catalog.array_to_string(words, word), ''), '') ||
    coalesce(facet || nullif(pg_catalog.array_to_string(facets, facet), ''), ''), 2), E'\x01'));
end $$;

-- For the rows of an owner that have all of these words, each of which may be the beginning of one, and all facets. Null where there are none.
create function list_all(owner uuid, words text[], facets text[]) returns tsquery language plpgsql immutable strict parallel safe as $$
declare
  mark text := pg_catalog.encode(pg_catalog.substring(pg_catalog.uuid_send(owner), 11), 'base64');
begin
  return (select pg_catalog.string_agg(
      '''' || pg_catalog.replace(pg_catalog.replace(term, '\', '\\'), '''', '''''') || suffix, ' & ')::tsquery
    from (
      select mark || ' ' || pg_catalog.left(word, 100), ''':*' from pg_catalog.unnest(words) word
      union all select mark || facet, '''' from pg_catalog.unnest(facets) facet
    ) as terms (term, suffix));
end $$;

-- For the rows of an owner that have one of these facets.
create function list_any(owner uuid, facets text[]) returns tsquery language plpgsql immutable strict parallel safe as $$
declare
  mark text := pg_catalog.encode(pg_catalog.substring(pg_catalog.uuid_send(owner), 11), 'base64');
begin
  return (select pg_catalog.string_agg(
      '''' || pg_catalog.replace(pg_catalog.replace(mark || facet, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
    from pg_catalog.unnest(facets) facet);
end $$;

-- Who writes a table calls what its indexes are made of: also where functions are nobody's by default.
grant execute on function list_fold, list_key, list_words, list_facets, list_terms, list_all, list_any to public;
