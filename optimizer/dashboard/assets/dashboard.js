"use strict";
(() => {
  const root = document.documentElement;
  const tokens = JSON.parse(document.getElementById("tokens").textContent);
  const plots = [...document.querySelectorAll(".plot")];
  const drawn = new Set();

  // A figure's colours are tokens; the page's custom properties stand behind them.
  function figure(plot) {
    const style = getComputedStyle(root);
    let text = document.getElementById(plot.dataset.figure).textContent;
    for (const [token, property] of Object.entries(tokens)) {
      text = text.replaceAll(token, style.getPropertyValue(property).trim());
    }
    const { data, layout } = JSON.parse(text);
    layout.font.family = getComputedStyle(document.body).fontFamily;
    return { data, layout };
  }

  function draw(plot) {
    const { data, layout } = figure(plot);
    if (root.classList.contains("print")) layout.width = plot.clientWidth;
    drawn.add(plot);
    return Plotly.react(plot, data, layout, { displayModeBar: false, responsive: true });
  }

  // Parsing and drawing cost time: a chart is drawn when it comes near the view.
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        observer.unobserve(target);
        draw(target);
      }
    }
  }, { rootMargin: "400px" });
  plots.forEach((plot) => observer.observe(plot));

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));

  // Paper is light, and holds every chart and what opens, but for long tables of figures: evidence.json has them.
  let opened = [];
  function paper(printing) {
    if (printing === root.classList.contains("print")) return;
    root.classList.toggle("print", printing);
    if (printing) opened = [...document.querySelectorAll("details:not([open]):not(.kept, .kept *, .off-paper)")];
    opened.forEach((details) => { details.open = printing; });
    plots.forEach(draw);
  }
  addEventListener("beforeprint", () => paper(true));
  addEventListener("afterprint", () => paper(false));
  matchMedia("print").addEventListener("change", ({ matches }) => paper(matches));

  // Long lists hold more than they show: their search looks through all, and shows the first that match.
  const MOST = 30;
  const make = (tag, classes, ...inside) => {
    const element = document.createElement(tag);
    if (classes) element.className = classes;
    element.append(...inside);
    return element;
  };
  const cell = (label, classes, ...inside) => {
    const element = make("span", classes, ...inside);
    element.setAttribute("role", "cell");
    if (label) element.dataset.label = label;
    return element;
  };

  // Texts stand once in the data, and rows name them by number; all of it becomes text, never markup.
  function decision(data, row) {
    const text = (number) => data.texts[number];
    const mark = (number) => {
      const [tone, words] = text(number).split("\n");
      return make("span", `mark mark-${tone}`, words);
    };
    const [key, title, resource, phase, chosen, state, when, judged, saving, note, summary, reason, criteria] = row;
    const line = make("div", "row",
      cell("", "subject", make("b", "", text(title)), make("span", "resource", make("bdi", "", resource)), make("span", "note", `Phase ${text(phase)}`)),
      cell("Decision", "", mark(chosen)), cell("State", "", mark(state)), cell("Window", "when", text(when)),
      cell("Assessment", "", mark(judged)), cell("Saving a month", "number", make("b", "", saving), make("span", "note", text(note))));
    line.setAttribute("role", "row");
    const details = make("details", "", make("summary", "", text(summary), make("span", "reason", text(reason))));
    details.id = key;
    details.addEventListener("toggle", () => {
      if (details.querySelector("ul")) return;
      const lines = criteria.map(([number, observed, verdict]) => {
        const [name, comparison, limit, unit, origin] = data.criteria[number];
        return make("li", "", mark(verdict), ` ${name}: ${observed} ${unit}, limit: ${comparison} ${limit} ${unit} (${origin})`);
      });
      details.append(make("ul", "found-criteria", ...lines));
    });
    const under = make("div", "", details);
    under.setAttribute("role", "cell");
    const opened = make("div", "row opened", under);
    opened.setAttribute("role", "row");
    const entry = make("div", "entry", line, opened);
    entry.setAttribute("role", "rowgroup");
    return entry;
  }
  const builders = {
    decisions: { rows: (data) => data.rows, build: decision,
      text: (data, row) => [row[2], ...[1, 3, 4, 5, 9, 11].map((place) => data.texts[row[place]])].join(" ") },
    excluded: { rows: (data) => data, text: (_, row) => row.join(" "),
      build: (_, [name, kind, region, why]) => {
        const head = make("th", "", make("bdi", "", name));
        head.scope = "row";
        return make("tr", "", head, make("td", "", kind), make("td", "region", region), make("td", "", make("bdi", "", why)));
      } },
    events: { rows: (data) => data, text: (_, row) => row.join(" "),
      build: (_, [at, phase, text]) => make("li", "", make("time", "", at), make("span", "label", phase), make("span", "", text)) },
  };
  async function inflated(text) {
    const bytes = Uint8Array.from(atob(text.trim()), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }
  for (const find of document.querySelectorAll(".find")) {
    const list = find.dataset.list;
    const builder = builders[list];
    const home = list === "decisions" ? document.querySelector(".decisions") : document.querySelector(`[data-rows="${list}"]`);
    const shown = [...home.children].filter((child) => !child.classList.contains("head"));
    const words = shown.map((child) => child.textContent.toLowerCase());
    const status = find.querySelector("[role=status]");
    const usual = status.textContent;
    let data;
    let found = [];
    const input = find.querySelector("input");
    input.addEventListener("input", async () => {
      data ??= await inflated(document.getElementById(`more-${list}`).textContent);
      const wanted = input.value.trim().toLowerCase();
      found.forEach((element) => element.remove());
      found = [];
      shown.forEach((child, place) => { child.hidden = !words[place].includes(wanted); });
      if (!wanted) {
        status.textContent = usual;
        return;
      }
      const here = shown.filter((child) => !child.hidden).length;
      const matching = builder.rows(data).filter((row) => builder.text(data, row).toLowerCase().includes(wanted));
      found = matching.slice(0, MOST).map((row) => builder.build(data, row));
      home.append(...found);
      const all = here + matching.length;
      status.textContent = all ? `${all} found${all > here + found.length ? `; the first ${here + found.length} are shown` : ""}.` : "Nothing found.";
    });
  }

  // A link to a decision opens it.
  function open() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    const group = target && target.closest("details.kept");
    if (group) group.open = true;
    if (target && target.tagName === "DETAILS") target.open = true;
  }
  addEventListener("hashchange", open);
  open();
})();
