-- Captures and reports are gone with it.
drop function if exists tusk_stats.report_document(text, timestamptz, timestamptz, timestamptz, jsonb,
  timestamptz, jsonb, json, json, text, text, text);
drop function if exists tusk_stats.report_lines(json, text);
drop function tusk_stats.capture();
drop function tusk_stats.weekly_report(text, date);
drop function tusk_stats.weekly_files(date);
drop function tusk_stats.weekly_document(date);
drop function tusk_stats.alerts_between(timestamptz, timestamptz);
drop function tusk_stats.trend(timestamptz, timestamptz);
drop table tusk_stats.reports;
drop table tusk_stats.captures;
