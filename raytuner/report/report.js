"use strict";
// Makes the page handier; everything it shows is there without it. Text of others only ever goes
// through textContent.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const data = () => JSON.parse($("#data").textContent);

  // ---- light and dark
  const root = document.documentElement;
  const stored = () => { try { return localStorage.getItem("raytuner-theme"); } catch { return null; } };
  const store = (theme) => { try { localStorage.setItem("raytuner-theme", theme); } catch { /* private window */ } };
  if (stored()) root.dataset.theme = stored();
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const themeButton = () => {
    const button = make("button", "", { type: "button" });
    const say = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`); };
    button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; store(root.dataset.theme); say(); });
    const item = make("li", "", { class: "theme" });
    item.append(button);
    $("nav ul").append(item);
    say();
  };

  // ---- where the reader is
  const watchSections = () => {
    const links = new Map(all("nav a").map((link) => [link.getAttribute("href").slice(1), link]));
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        links.forEach((link) => link.removeAttribute("aria-current"));
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    }, { rootMargin: "-20% 0px -70% 0px" });
    all("main > section").forEach((section) => watcher.observe(section));
  };

  // ---- leaderboard
  const board = () => {
    const table = $(".leaderboard");
    if (!table) return;
    const body = table.tBodies[0];
    const first = Number(table.dataset.first);
    let open = false;
    const button = make("button", "", { type: "button", class: "more" });
    const fold = () => {
      [...body.rows].forEach((row, place) => { row.hidden = !open && place >= first && !row.matches(".leader, .baseline, :target"); });
      button.textContent = open ? `Show the first ${first} only` : `Show all ${body.rows.length} configurations`;
      button.setAttribute("aria-expanded", String(open));
    };
    if (body.rows.length > first) {
      button.addEventListener("click", () => { open = !open; fold(); });
      table.parentElement.after(button);
    }
    const cells = [...table.tHead.rows[0].cells];
    cells.forEach((head, column) => {
      if (!head.dataset.kind) return;
      const sorter = make("button", "", { type: "button" });
      sorter.append(...head.childNodes);
      head.append(sorter);
      sorter.addEventListener("click", () => {
        const numeric = head.dataset.kind === "n";
        const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : numeric && column > 1;
        cells.forEach((cell) => cell.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column].dataset.v;
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
          const order = numeric ? Number(x) - Number(y) : x.localeCompare(y);
          return down ? -order : order;
        });
        body.append(...rows);
        fold();
      });
    });
    fold();
    return fold;
  };

  // ---- pairs of parameters
  const pairs = () => {
    const stage = $("#heatmap .stage"), rest = $("#heatmap details.pairs");
    if (!stage || !rest) return;
    const figures = all("#heatmap figure");
    const select = make("select", "", { id: "pair" });
    figures.forEach((figure, place) => select.append(make("option", figure.dataset.pair, { value: place })));
    const label = make("label", "Parameters ");
    label.append(select);
    const tools = make("div", "", { class: "tools" });
    tools.append(label);
    stage.before(tools);
    rest.hidden = true;
    select.addEventListener("change", () => stage.replaceChildren(figures[Number(select.value)]));
  };

  // ---- parallel coordinates
  const brush = () => {
    const chart = $(".rt-parallel");
    if (!chart) return;
    const group = $(".rt-lines", chart);
    const lines = all(".rt-line", chart).map((node) => ({
      node, trial: Number(node.dataset.trial),
      at: node.dataset.at.split(" ").map((part) => (part === "-" ? null : Number(part))),
    }));
    const { trials, metric, maximise } = data();
    const score = new Map(trials.map(([trial, value]) => [trial, value]));
    const exact = new Map(trials.map(([trial, , sure]) => [trial, sure]));
    const ranges = new Map(), marks = new Map();
    const status = $("#brushed"), rows = new Map(all(".leaderboard tr[data-trial]").map((row) => [Number(row.dataset.trial), row]));
    const clear = make("button", "Clear", { type: "button", hidden: "" });
    clear.addEventListener("click", () => { [...marks.keys()].forEach(reset); show(); });
    const box = make("div", "", { class: "tools" });
    status.before(box);
    box.append(status, clear);
    const show = () => {
      const inside = lines.filter(({ at }) => [...ranges].every(([axis, [low, high]]) => at[axis] !== null && at[axis] >= low - 1e-6 && at[axis] <= high + 1e-6));
      const kept = new Set(inside.map(({ trial }) => trial));
      group.classList.toggle("brushed", ranges.size > 0);
      lines.forEach(({ node, trial }) => {
        node.classList.toggle("off", ranges.size > 0 && !kept.has(trial));
        node.classList.toggle("on", ranges.size > 0 && kept.has(trial));
      });
      rows.forEach((row, trial) => row.classList.toggle("out", ranges.size > 0 && !kept.has(trial)));
      clear.hidden = ranges.size === 0;
      const best = [...kept].sort((a, b) => exact.get(b) - exact.get(a) || (maximise ? score.get(b) - score.get(a) : score.get(a) - score.get(b)))[0];
      status.replaceChildren(ranges.size ? `${kept.size} of ${lines.length} configurations pass here` : "");
      if (ranges.size && best !== undefined) {
        status.append("; the best of them is ", make("a", `trial ${best}`, { href: `#trial-${best}` }), ` with ${metric} ${exact.get(best) ? "" : "about "}${score.get(best).toFixed(exact.get(best) ? 4 : 2)}`);
      }
      if (ranges.size) status.append(".");
    };
    const reset = (axis) => {
      ranges.delete(axis);
      marks.get(axis)?.remove();
      marks.delete(axis);
      all(`.rt-level[data-axis="${axis}"]`, chart).forEach((level) => level.setAttribute("aria-pressed", "false"));
    };
    const svg = (name, attributes) => {
      const node = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      return node;
    };
    const set = (axis, low, high) => {
      reset(axis.number);
      ranges.set(axis.number, [low, high]);
      const y = axis.top + (1 - high) * axis.height, pad = 4;
      const mark = svg("rect", { class: "rt-brush", x: axis.x - 7, width: 14, y: y - pad, height: (high - low) * axis.height + 2 * pad, rx: 3 });
      axis.node.insertBefore(mark, axis.grip);
      marks.set(axis.number, mark);
    };
    all(".rt-axis", chart).forEach((node) => {
      const axis = { node, number: Number(node.dataset.axis), x: Number(node.dataset.x), top: Number(node.dataset.top), height: Number(node.dataset.height) };
      axis.grip = svg("rect", { class: "rt-grip", x: axis.x - 12, width: 24, y: axis.top - 8, height: axis.height + 16 });
      node.append(axis.grip);
      const at = (event) => {
        const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(chart.getScreenCTM().inverse());
        return Math.min(1, Math.max(0, 1 - (point.y - axis.top) / axis.height));
      };
      let from = null;
      axis.grip.addEventListener("pointerdown", (event) => { from = at(event); axis.grip.setPointerCapture(event.pointerId); });
      axis.grip.addEventListener("pointermove", (event) => {
        if (from === null) return;
        const to = at(event);
        if (Math.abs(to - from) > 0.02) { set(axis, Math.min(from, to), Math.max(from, to)); show(); }
      });
      axis.grip.addEventListener("pointerup", (event) => {
        if (from !== null && Math.abs(at(event) - from) <= 0.02) { reset(axis.number); show(); }
        from = null;
      });
      all(".rt-level", node).forEach((level) => {
        level.setAttribute("role", "button");
        level.setAttribute("tabindex", "0");
        level.setAttribute("aria-pressed", "false");
        level.setAttribute("aria-label", `only ${node.dataset.name} ${level.dataset.reach > 0.01 ? "near" : "="} ${level.textContent}`);
        const choose = () => {
          const on = level.getAttribute("aria-pressed") === "true";
          reset(axis.number);
          if (!on) {
            const place = Number(level.dataset.position);
            const reach = Number(level.dataset.reach);
            set(axis, Math.max(0, place - reach), Math.min(1, place + reach));
            level.setAttribute("aria-pressed", "true");
          }
          show();
        };
        level.addEventListener("click", choose);
        level.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); }
        });
      });
    });
  };

  // ---- questions
  const asked = () => {
    const list = $(".questions");
    if (!list) return;
    const items = [...list.children];
    const shown = () => [...list.children].filter((item) => !item.hidden);
    const first = Number(list.dataset.first);
    let open = false;
    const more = make("button", "", { type: "button", class: "more" });
    more.addEventListener("click", () => { open = true; filter(); });
    list.after(more);
    const search = make("input", "", { type: "search", id: "find", placeholder: "Find in questions", "aria-label": "Find in questions" });
    const order = make("select", "", { id: "order", "aria-label": "Order of the questions" });
    [["spread", "most telling first"], ["mean", "hardest first"], ["ease", "easiest first"], ["unit", "by name"]].forEach(([value, text]) => order.append(make("option", text, { value })));
    const differs = make("input", "", { type: "checkbox", id: "differs" });
    const label = make("label");
    label.append(differs, "only where these configurations differ");
    const count = make("span", "", { "aria-live": "polite" });
    const tools = make("div", "", { class: "tools" });
    tools.append(search, order, label, count);
    list.before(tools);
    const filter = () => {
      const wanted = search.value.trim().toLowerCase();
      let matching = 0;
      [...list.children].forEach((item) => {
        const text = $("summary", item).textContent.toLowerCase();
        const out = (wanted && !text.includes(wanted)) || (differs.checked && !("differs" in item.dataset));
        if (!out) matching += 1;
        item.hidden = out || (!open && matching > first && !item.open);
      });
      count.textContent = `${matching} of ${items.length}`;
      more.hidden = open || matching <= first;
      more.textContent = `Show all ${matching} questions`;
    };
    const sign = data().maximise ? 1 : -1;
    const keys = {
      mean: (a, b) => sign * (Number(a.dataset.mean ?? Infinity) - Number(b.dataset.mean ?? Infinity)),
      ease: (a, b) => sign * (Number(b.dataset.mean ?? -Infinity) - Number(a.dataset.mean ?? -Infinity)),
      unit: (a, b) => a.dataset.unit.localeCompare(b.dataset.unit, undefined, { numeric: true }),
    };
    order.addEventListener("change", () => {
      list.append(...(keys[order.value] ? [...items].sort(keys[order.value]) : items));
      filter();
    });
    search.addEventListener("input", filter);
    differs.addEventListener("change", filter);
    list.addEventListener("keydown", (event) => {
      const item = event.target.closest(".questions > details");
      if (!item || event.target !== $("summary", item)) return;
      const visible = shown(), place = visible.indexOf(item);
      const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: visible.length - 1 }[event.key];
      if (to === undefined || !visible[to]) {
        if (event.key === "ArrowRight" || event.key === "ArrowLeft") { item.open = event.key === "ArrowRight"; event.preventDefault(); }
        return;
      }
      event.preventDefault();
      $("summary", visible[to]).focus();
    });
    filter();
  };

  // ---- deep links
  const follow = (fold) => {
    const go = () => {
      let name = location.hash.slice(1);
      try { name = decodeURIComponent(name); } catch { /* as it is */ }
      const target = name && document.getElementById(name);
      if (!target) return;
      if (target.matches(".questions > details")) { target.hidden = false; target.open = true; }
      if (target.matches("tr")) { target.hidden = false; fold?.(); }
      requestAnimationFrame(() => target.scrollIntoView({ block: target.matches("tr") ? "center" : "start" }));
    };
    addEventListener("hashchange", go);
    go();
  };

  themeButton();
  watchSections();
  const fold = board();
  pairs();
  brush();
  asked();
  follow(fold);
})();
