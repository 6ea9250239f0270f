-- Responses that were stored stay, as values.
drop function tusk_cache.api_fetch;
drop function tusk_cache.api_store;
drop function tusk_cache.etag_matches;
drop function tusk_cache.is_response;
drop function tusk_cache.response_value;
drop index tusk_cache.cache_long_keys;
