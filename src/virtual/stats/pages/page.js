"use strict";
// What the pages share. Everything in the data was named by somebody else, so it reaches the page
// only as text: no markup is ever made from it.
const page = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const NOT_MEASURED = "n/a";
  const SECTIONS = [
    ["tables", "Biggest tables"],
    ["vacuum", "Vacuum"],
    ["indexes", "Indexes"],
    ["missing_indexes", "Missing indexes"],
    ["cache_hit", "Found in memory"],
    ["connections", "Connections"],
    ["locks", "Locks"],
    ["replication", "Replication"],
    ["slow_queries", "Slow queries, by mean"],
    ["slow_queries_total", "Slow queries, in total"],
    ["usage", "Files and cache"],
    ["sizes", "Sizes"],
  ];
  const COMPONENTS = {
    cache_hit: "Found in memory",
    connections: "Connections in use",
    dead_tuples: "Dead rows",
    replication_lag: "Replication lag",
    oldest_xact: "Oldest transaction",
    xid_age: "Transaction ids used",
    blocked: "Blocked sessions",
    idle_ratio: "Idle connections",
    unused_index: "Unused indexes",
  };

  // ---- elements

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes))
      if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }
  const make = (tag, attributes = {}, ...children) =>
    fill(document.createElement(tag), attributes, children);
  const draw_svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  // ---- text

  // Characters that hide, or turn round what stands after them, are shown by their number.
  const visible = (text) =>
    String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
      (c) => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  const is_number = (value) => typeof value === "number";
  const list = (value) => (Array.isArray(value) ? value : []);

  const usual = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const tiny = new Intl.NumberFormat("en", { maximumSignificantDigits: 2 });
  function number_text(value) {
    if (!is_number(value)) return value === null || value === undefined ? NOT_MEASURED : visible(value);
    const format = value !== 0 && Math.abs(value) < 0.01 ? tiny : usual;
    return format.format(value).replace("-", "−");
  }

  function bytes_text(value) {
    const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let size = Math.abs(value), unit = 0;
    for (; size >= 1024 && unit + 1 < units.length; unit++) size /= 1024;
    const digits = unit === 0 || size >= 100 ? 0 : 1;
    return `${value < 0 ? "−" : ""}${size.toFixed(digits)} ${units[unit]}`;
  }

  const signed = (value, text) => (value > 0 ? "+" : "") + text(value);

  const words = (name) => visible(name).replace(/_/g, " ");
  const capital = (text) => (text === "ok" ? "OK" : text.charAt(0).toUpperCase() + text.slice(1));
  const component_title = (name) =>
    Object.hasOwn(COMPONENTS, name) ? COMPONENTS[name] : capital(words(name));

  function column_title(name) {
    if (name === "pct") return "%";
    const unit = /^(.*)_(pct|ms|s)$/.exec(name);
    if (unit) return `${capital(words(unit[1]))}, ${unit[2] === "pct" ? "%" : unit[2]}`;
    if (name === "bytes") return "Size";
    if (name === "delta_bytes") return "Change";
    return capital(words(name.replace(/_bytes$/, "_size").replace(/^(.+)_name$/, "$1").replace(/^pct_/, "%_")));
  }

  const MOMENT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;
  function moment_text(text) {
    const match = MOMENT.exec(text);
    const zone = match[4] === undefined ? "" : /^(Z|[+-]00(:?00)?)$/.test(match[4]) ? " UTC" : ` ${match[4]}`;
    return `${match[1]} ${match[2]}${zone}`;
  }
  function moment(text) {
    if (text === null || text === undefined) return NOT_MEASURED;
    if (!MOMENT.test(text)) return visible(text);
    return make("time", { datetime: text, title: text }, moment_text(text));
  }

  // ---- colour: a word of the status, never a word of the data

  const LOOKS = { ok: "ok", warning: "warning", critical: "critical" };
  const look_of = (status) => (Object.hasOwn(LOOKS, status) ? LOOKS[status] : "unknown");
  function look_of_score(score) {
    if (!is_number(score)) return "unknown";
    return score > 0.5 ? "ok" : score > 0 ? "warning" : "critical";
  }

  // ---- drawings

  function dial(health) {
    const known = is_number(health.score);
    const share = known ? Math.min(Math.max(health.score, 0), 100) : 0;
    const arc = "M 26.1 93.9 A 48 48 0 1 1 93.9 93.9";
    const svg = draw_svg("svg", { class: "dial", viewBox: "0 0 120 108", role: "img",
      "aria-label": `Health score: ${known ? `${number_text(health.score)} of 100` : "not measured"}` });
    svg.append(draw_svg("path", { d: arc, class: "dial-track", pathLength: 100 }));
    // Nothing of it left is a point of colour, not no colour.
    if (known)
      svg.append(draw_svg("path", { d: arc, class: "dial-fill", pathLength: 100, "stroke-dasharray": `${Math.max(share, 0.01)} 200` }));
    svg.append(
      draw_svg("text", { x: 60, y: 72, class: "dial-score" }, known ? number_text(health.score) : NOT_MEASURED),
      draw_svg("text", { x: 60, y: 92, class: "dial-of" }, known ? "of 100" : ""));
    return svg;
  }

  // Where each point lies, by its time where all have one; what was not measured leaves a gap.
  function placed(points, width, height, low, high) {
    const times = points.map((point, i) => ({ time: Date.parse(point.at), i }));
    const timed = times.every(({ time }) => Number.isFinite(time));
    const along = times.map(({ time, i }) => (timed ? time : i));
    const first = Math.min(...along), span = Math.max(...along) - first || 1;
    return points.map((point, i) => is_number(point.value) && {
      x: points.length > 1 ? ((along[i] - first) / span) * width : width,
      y: height - ((point.value - low) / (high - low || 1)) * height,
    });
  }
  function runs(places) {
    const all = [[]];
    for (const place of places) {
      if (place) all[all.length - 1].push(place);
      else if (all[all.length - 1].length) all.push([]);
    }
    return all.filter((run) => run.length);
  }
  const fixed = (number) => number.toFixed(1);
  const path_of = (run) => run.map((at, i) => `${i ? "L" : "M"}${fixed(at.x)} ${fixed(at.y)}`).join("") +
    (run.length === 1 ? "h0.1" : "");

  function sparkline(name, points, { width = 120, height = 26, low, high, area = false } = {}) {
    const values = points.map((point) => point.value).filter(is_number);
    if (!values.length) return null;
    const least = Math.min(...values), most = Math.max(...values);
    // A line that never moves lies in the middle.
    const flat = least === most ? 1 : 0;
    const places = placed(points, width, height, low ?? least - flat, high ?? most + flat);
    const said = `${name}: ${values.length === 1 ? "one point" : `${values.length} points`}, lowest ` +
      `${number_text(least)}, highest ${number_text(most)}, last ${number_text(values[values.length - 1])}`;
    const svg = draw_svg("svg", { class: "spark", viewBox: `-3 -3 ${width + 6} ${height + 6}`, role: "img",
      "aria-label": said, preserveAspectRatio: "none" }, draw_svg("title", {}, said));
    for (const run of runs(places)) {
      if (area && run.length > 1)
        svg.append(draw_svg("path", { class: "area", d: `${path_of(run)}V${height}H${fixed(run[0].x)}Z` }));
      svg.append(draw_svg("path", { class: "line", d: path_of(run) }));
    }
    const last = runs(places).pop().pop();
    svg.append(draw_svg("path", { class: "point", d: `M${fixed(last.x)} ${fixed(last.y)}h0.01` }));
    return svg;
  }

  // ---- tables

  // "12 MB" as the server writes it, in bytes, so that it sorts as a size.
  function bytes_of(text) {
    const match = /^(-?\d+(?:\.\d+)?) (bytes|kB|MB|GB|TB|PB)$/.exec(text);
    return match && Number(match[1]) * 1024 ** ["bytes", "kB", "MB", "GB", "TB", "PB"].indexOf(match[2]);
  }
  function key_of(value) {
    if (typeof value === "string") return bytes_of(value) ?? value;
    return typeof value === "boolean" ? Number(value) : value ?? null;
  }
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  // Numbers before texts; what was not measured comes last either way.
  function compared(left, right, sign) {
    if (left === null || right === null) return (left === null) - (right === null);
    if (is_number(left) && is_number(right)) return sign * (left - right);
    if (is_number(left) !== is_number(right)) return is_number(left) ? -1 : 1;
    return sign * collator.compare(left, right);
  }

  const IS_CODE = /(^|_)(query|sql|undo|advice|statement|definition)$/;
  const IS_YES_NO = new Set(["unused", "active", "granted"]);
  function content_of(value, column) {
    if (value === null || value === undefined) return make("span", { class: "none" }, NOT_MEASURED);
    if (is_number(value)) {
      if (/(^|_)bytes$/.test(column))
        return make("data", { value, title: `${usual.format(value)} bytes` },
          column.startsWith("delta") ? signed(value, bytes_text) : bytes_text(value));
      return make("data", { value, title: value }, number_text(value));
    }
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (typeof value !== "string") return visible(JSON.stringify(value));
    if (IS_YES_NO.has(column) && /^[tf]$/.test(value)) return value === "t" ? "yes" : "no";
    if (MOMENT.test(value)) return moment(value);
    const code = IS_CODE.test(column);
    if (value.length > 160)
      return make("div", { class: code ? "long code" : "long", tabindex: 0, role: "group",
        "aria-label": column_title(column) }, visible(value));
    return code ? make("code", {}, visible(value)) : visible(value);
  }
  const is_brief = (value) => typeof value === "string" && value.length <= 24;
  // "deltas" of a section is either cell by cell as "rows", numbers or null, or a table of its own.
  function delta_of(delta, column) {
    if (!is_number(delta) || delta === 0) return null;
    const text = /(^|_)bytes$/.test(column) ? bytes_text : number_text;
    return make("span", { class: "delta", "data-delta": delta }, signed(delta, text));
  }

  // The columns shown: a size in words is left out where the same is there in bytes.
  function columns_shown(columns) {
    const twin = (name) => columns.indexOf(name.replace(/(^|_)size$/, "$1bytes"));
    return columns.map((name, at) => {
      const other = /(^|_)size$/.test(name) ? twin(name) : -1;
      return { name, at, shown: other < 0, sorts_as: other < 0 ? at : other };
    });
  }

  const sorters = new Map();  // section → (column, direction) → void
  function say(text) { document.getElementById("said").textContent = text; }

  function table_of(id, title, section) {
    const columns = columns_shown(list(section.columns).map(String));
    const shown = columns.filter((column) => column.shown);
    const deltas = Array.isArray(section.deltas) ? section.deltas : [];
    const numeric = (at) => section.rows.some((row) => is_number(row[at]) || bytes_of(row[at] ?? "") !== null);
    const rows = section.rows.map((row, index) => ({ row, index, tr: make("tr", {}, ...shown.map(({ name, at }) =>
      make("td", { class: numeric(at) ? "number" : is_brief(row[at]) ? "brief" : null }, content_of(row[at], name),
        delta_of(list(deltas[index])[at], name)))) }));
    const body = make("tbody", {}, ...rows.map(({ tr }) => tr));
    let sorted = null;
    const sort = (column, wanted) => {
      const usually = numeric(column.at) ? "descending" : "ascending";
      const turned = sorted && sorted.at === column.at &&
        (sorted.direction === "ascending" ? "descending" : "ascending");
      sorted = { at: column.at, direction: wanted || turned || usually };
      const sign = sorted.direction === "ascending" ? 1 : -1;
      rows.sort((left, right) => compared(key_of(left.row[column.at]), key_of(right.row[column.at]), sign) ||
        left.index - right.index);
      body.append(...rows.map(({ tr }) => tr));
      for (const { at, head } of shown) {
        if (at === column.at) head.setAttribute("aria-sort", sorted.direction);
        else head.removeAttribute("aria-sort");
      }
    };
    for (const column of shown) {
      const button = make("button", { type: "button", title: `Sort by ${visible(column.name)}` },
        column_title(column.name));
      column.head = make("th", { scope: "col", "data-column": column.name,
        class: numeric(column.at) ? "number" : null }, button);
      button.addEventListener("click", () => {
        sort(column);
        say(`${title} sorted by ${column_title(column.name)}, ${sorted.direction}`);
        remember(id, column.name, sorted.direction);
      });
    }
    sorters.set(id, (name, direction) => {
      const column = columns.find((each) => each.name === name);
      if (column) sort(columns[column.sorts_as], direction);
    });
    const table = make("table", { class: rows.length > SHORT + 3 ? "short" : null },
      make("caption", { class: "hidden" }, title),
      make("thead", {}, make("tr", {}, ...shown.map(({ head }) => head))), body);
    return [make("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": `${title}, table` }, table),
      more_button(table, rows.length)];
  }

  const SHORT = 12;  // as in the style sheet
  function more_button(table, rows) {
    if (!table.classList.contains("short")) return null;
    const button = make("button", { type: "button", class: "more", "aria-expanded": "false" }, `Show all ${rows} rows`);
    button.addEventListener("click", () => {
      const short = table.classList.toggle("short");
      button.setAttribute("aria-expanded", String(!short));
      button.textContent = short ? `Show all ${rows} rows` : `Show the first ${SHORT}`;
    });
    return button;
  }

  // The order a reader chose outlives a reload.
  function remember(id, column, direction) {
    const hash = `#sort=${[id, column, direction].map(encodeURIComponent).join(":")}`;
    try { history.replaceState(null, "", hash); } catch { /* not allowed here: it is only a comfort */ }
  }
  function sort_as_asked() {
    if (!location.hash.startsWith("#sort=")) return;
    let parts = [];
    try { parts = location.hash.slice(6).split(":").map(decodeURIComponent); } catch { return; }
    const direction = { asc: "ascending", desc: "descending", ascending: "ascending", descending: "descending" };
    sorters.get(parts[0])?.(parts[1], Object.hasOwn(direction, parts[2] ?? "") ? direction[parts[2]] : null);
  }

  // ---- the parts of a page

  function card(id, title, note, ...children) {
    return make("section", { id, class: "card", "aria-labelledby": `${id}-title` },
      make("div", { class: "card-head" }, make("h2", { id: `${id}-title` }, title),
        note ? make("span", { class: "note" }, note) : null), ...children);
  }
  const notice = (text) => make("p", { class: "notice" }, visible(text));
  const remark = (text) => (text ? make("section", { class: "card" }, notice(text)) : null);
  const nothing = (text) => make("p", { class: "nothing" }, text);
  const counted = (count, one, many) => `${count} ${count === 1 ? one : many}`;

  function section_of(id, title, section) {
    const rows = list(section.rows).map(list);
    const advice = list(section.advice);
    const children = [];
    if (section.error) children.push(notice(section.error));
    if (rows.length) children.push(...table_of(id, title, { ...section, rows }));
    else if (!section.error) children.push(nothing("None."));
    if (section.deltas && !Array.isArray(section.deltas) && list(section.deltas.rows).length)
      children.push(make("h3", {}, "Changed since the week before"), ...table_of(`${id}-deltas`, `${title}, changes`,
        { columns: section.deltas.columns, rows: section.deltas.rows.map(list) }));
    if (advice.length)
      children.push(make("h3", {}, "Advice"),
        make("ul", { class: "advice" }, ...advice.map((text) => make("li", {}, visible(text)))));
    const made = card(id, title, rows.length ? counted(rows.length, "row", "rows") : null, ...children);
    if (list(section.columns).length > 4 && rows.length) made.classList.add("wide");
    return made;
  }

  function sections(data) {
    const named = new Map(SECTIONS);
    const known = SECTIONS.map(([id]) => id);
    const others = Object.keys(data).filter((id) => !named.has(id));
    const all = [...known, ...others].filter((id) => data[id] && Array.isArray(data[id].columns));
    const away = all.length > 1 && data[all[0]].error;
    if (away && all.every((id) => data[id].error === away && !list(data[id].rows).length))
      return [card("away", "No figures", null, notice(away))];
    return [make("div", { class: "sections" },
      ...all.map((id) => section_of(id, named.get(id) ?? capital(words(id)), data[id])))];
  }

  function compared_with(score, previous) {
    if (!previous) return null;
    if (!is_number(previous.score) || !is_number(score))
      return make("p", { class: "quiet" }, `The week before: ${number_text(previous.score)}`);
    const delta = score - previous.score;
    const look = delta > 0 ? "ok" : delta < 0 ? "critical" : "unknown";
    return make("p", { class: "quiet" }, make("strong", { class: `${look} colour`, "data-delta": delta },
      delta ? signed(delta, number_text) : "unchanged"), ` since the week before (${number_text(previous.score)})`);
  }

  function overview(data) {
    const health = data.health ?? {};
    const look = look_of(health.status);
    const open = list(data.alerts).filter((alert) => alert.state === "open").length;
    const points = list(data.trend).map(({ at, score }) => ({ at, value: score }));
    const chart = sparkline("Score over time", points, { width: 600, height: 90, low: 0, high: 100, area: true });
    return make("section", { id: "overview", class: `card overview ${look}`, "aria-label": "Health" },
      make("div", { class: "dial-box" }, dial(health)),
      make("div", { class: "verdict" },
        make("p", { class: "status" }, make("span", { class: "colour" }, capital(words(health.status ?? "unknown")))),
        health.reason ? make("p", { class: "reason" }, visible(health.reason)) : null,
        compared_with(health.score, data.previous),
        data.alerts ? make("p", { class: "quiet" }, open ? counted(open, "open alert", "open alerts") : "No open alerts") : null),
      chart ? make("figure", { class: "trend" }, chart, make("figcaption", {},
        moment(points[0].at), make("span", {}, "Score, 0 to 100"), moment(points[points.length - 1].at))) : null);
  }

  function bar(component) {
    const look = look_of_score(component.score);
    const known = is_number(component.score);
    const has_scale = is_number(component.good) || is_number(component.crit);
    const scale = has_scale ? make("span", { class: "scale" },
      make("span", {}, "critical ", make("b", {}, number_text(component.crit))),
      component.warn === null || component.warn === undefined ? null
        : make("span", {}, "warn ", make("b", {}, number_text(component.warn))),
      make("span", {}, "good ", make("b", {}, number_text(component.good)))) : null;
    const track = make("span", { class: "track", role: "meter", "aria-valuemin": 0, "aria-valuemax": 1,
      "aria-valuenow": known ? component.score : 0, "aria-label": component_title(component.component),
      "aria-valuetext": known ? `${number_text(component.score)} of 1, ${look}` : "not measured" });
    if (known) {
      const fill = make("span", { class: "fill" });
      fill.style.width = `${Math.min(Math.max(component.score, 0), 1) * 100}%`;
      track.append(fill);
    }
    return make("div", { class: "bar" }, track, scale);
  }

  function components(data) {
    const all = list(data.health?.components);
    const trend = list(data.trend);
    const row = (component) => {
      const name = component.component;
      const points = trend.map(({ at, components: then }) => ({ at, value: then?.[name] }));
      const title = component_title(name);
      const known = is_number(component.value);
      return make("li", { class: `component ${look_of_score(component.score)}`, "data-component": name },
        make("div", { class: "component-name" }, make("span", { title: visible(name) }, title),
          make("small", {}, `weight ${number_text(component.weight)}`, component.advisory ? ", advisory" : "",
            ", score ", make("data", { value: component.score ?? "" }, number_text(component.score)))),
        make("div", { class: "component-value" },
          make("data", { value: component.value ?? "" }, number_text(component.value)),
          known && component.unit ? make("small", {}, ` ${visible(component.unit)}`) : null),
        bar(component),
        make("div", { class: "component-trend" }, sparkline(title, points)));
    };
    return card("components", "What the score is made of", null,
      all.length ? make("ul", { class: "components" }, ...all.map(row)) : nothing("Nothing of it could be measured."));
  }

  const STATES = ["open", "acknowledged", "silenced"];
  const SEVERITIES = ["critical", "warning"];
  function by_urgency(left, right) {
    const place = (names, name) => (names.includes(name) ? names.indexOf(name) : names.length);
    return place(STATES, left.state) - place(STATES, right.state) ||
      place(SEVERITIES, left.severity) - place(SEVERITIES, right.severity);
  }
  function alert_item(alert) {
    const figures = make("p", { class: "quiet" }, "value ",
      make("data", { value: alert.value ?? "" }, number_text(alert.value)), ", threshold ",
      make("data", { value: alert.threshold ?? "" }, number_text(alert.threshold)), ", since ", moment(alert.since));
    if (alert.until) figures.append(" until ", moment(alert.until));
    return make("li", { class: `alert ${look_of(alert.severity)}${alert.state === "open" ? "" : " resting"}` },
      make("p", { class: "alert-head" }, make("span", { class: "badge" }, words(alert.severity ?? "unknown")),
        make("strong", {}, component_title(alert.name ?? "")),
        make("span", { class: "quiet" }, words(alert.state ?? ""))),
      alert.message ? make("p", {}, visible(alert.message)) : null, figures);
  }
  function alerts(id, title, given, none) {
    const all = list(given).slice().sort(by_urgency);
    return card(id, title, all.length ? String(all.length) : null,
      all.length ? make("ul", { class: "alerts" }, ...all.map(alert_item)) : nothing(none));
  }

  // ---- only in the weekly report

  async function copy(text, block) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // No clipboard for a page opened this way: what is selected can still be copied.
      getSelection().selectAllChildren(block);
      return document.execCommand("copy");
    }
  }
  function sql_block(sql) {
    const code = make("code", {}, visible(sql));
    const button = make("button", { type: "button", class: "copy" }, "Copy");
    button.addEventListener("click", async () => {
      const copied = await copy(String(sql), code);
      button.textContent = copied ? "Copied" : "Selected";
      say(copied ? "Copied" : "Selected: copy it with the keyboard");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    return make("div", { class: "sql" }, make("pre", { tabindex: 0, role: "region", "aria-label": "SQL" }, code), button);
  }
  function actions(given) {
    const all = list(given);
    const item = (action) => make("li", {},
      make("h3", {}, visible(action.title ?? "")), action.why ? make("p", {}, visible(action.why)) : null,
      action.sql ? sql_block(action.sql) : null,
      action.undo ? make("details", {}, make("summary", {}, "How to undo it"), sql_block(action.undo)) : null);
    return card("actions", "What to do", null, all.length ? make("ol", { class: "actions" }, ...all.map(item))
      : nothing("Nothing is suggested."));
  }
  function growth(given) {
    const rows = list(given).map((one) => [one.name ?? null, one.kind ?? null, one.bytes ?? null, one.delta_bytes ?? null]);
    return card("growth", "Growth", null, ...(rows.length
      ? table_of("growth", "Growth", { columns: ["name", "kind", "bytes", "delta_bytes"], rows }) : [nothing("No growth was measured.")]));
  }

  // The figures behind the lines, for those who do not see them.
  function history_of(data) {
    const trend = list(data.trend);
    if (!trend.length) return null;
    const names = [...new Set(trend.flatMap((point) => Object.keys(point.components ?? {})))];
    const rows = trend.map((point) => [point.at ?? null, point.score ?? null,
      ...names.map((name) => point.components?.[name] ?? null)]).reverse();
    return make("section", { id: "trend", class: "card" }, make("details", {},
      make("summary", {}, make("h2", {}, "Trend in figures")),
      ...table_of("trend", "Trend", { columns: ["at", "score", ...names], rows }).filter(Boolean)));
  }

  // ---- the page

  const TUSK = "M3 20.5C13.5 20.5 21 14 20.6 3.2c-.1-1.1-1.5-1.2-1.8-.1C16.9 11 11.8 16.6 3 19.1c-.9.3-.8 1.4 0 1.4z";
  function head(title, data) {
    document.title = `${title}: ${visible(data.database ?? "database")}`;
    const period = data.week ? make("p", { class: "quiet" }, make("strong", {}, visible(data.week)), " from ",
      moment(data.from), " to ", moment(data.to)) : null;
    const top = document.getElementById("top");
    top.append(draw_svg("svg", { class: "mark", viewBox: "0 0 24 24", "aria-hidden": "true" }, draw_svg("path", { d: TUSK })),
      make("div", { class: "title" }, make("p", { class: "over" }, title),
        make("h1", {}, visible(data.database ?? "Database"))),
      make("div", { class: "facts" }, period,
        make("p", { class: "quiet" }, data.server ? visible(data.server) : "Server unknown", ", measured ", moment(data.measured_at))));
  }
  function links(parts) {
    const cards = parts.flatMap((part) => [...part.querySelectorAll("section"), part]).filter((part) => part.matches("section[id]"));
    const link = (part) => make("a", { href: `#${encodeURIComponent(part.id)}` }, part.querySelector("h2").textContent);
    return make("nav", { "aria-label": "On this page" }, ...cards.filter((part) => part.querySelector("h2")).map(link));
  }
  // What a test reads: whether the page is wider than its window.
  function measure() {
    const root = document.documentElement;
    root.dataset.scrollWidth = root.scrollWidth;
    root.dataset.clientWidth = root.clientWidth;
  }

  function draw(title, parts_of) {
    const data = JSON.parse(document.getElementById("data").textContent);
    const main = document.getElementById("main");
    if (!data) {
      main.append(notice("This page was made without figures."));
      return;
    }
    head(title, data);
    const parts = parts_of(data).filter(Boolean);
    main.append(parts[0], links(parts.slice(1)), ...parts.slice(1));
    document.getElementById("foot").append("Drawn from one snapshot; open the file anew for new figures. ",
      `Schema version ${number_text(data.schema_version)}.`);
    sort_as_asked();
    addEventListener("hashchange", sort_as_asked);
    addEventListener("resize", measure);
    addEventListener("load", measure);
  }

  return { draw, overview, components, alerts, sections, history: history_of, actions, growth, remark };
})();
