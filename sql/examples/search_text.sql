-- A column that is kept from others: search_text is computed at each write, and an index on it serves searches.
-- The expression must be immutable: || and coalesce are, concat and anything of a locale or the time are not.
-- A NULL in a || makes all of it NULL, hence coalesce. On a big table the column is a rewrite under an
-- exclusive lock: then add a plain column and a trigger, fill it in batches, and index it concurrently.
create table if not exists articles (
  id bigint generated always as identity primary key,
  title text not null,
  body text
);
alter table articles
  add column if not exists search_text text
  generated always as (lower(title || ' ' || coalesce(body, ''))) stored;
create index if not exists articles_search on articles using gin (to_tsvector('simple', search_text));
-- select title from articles where to_tsvector('simple', search_text) @@ plainto_tsquery('simple', 'elephant');
