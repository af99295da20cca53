"use strict";
(function () {
  const all = (selector, from) => Array.from((from || document).querySelectorAll(selector));
  const make = (tag, text) => { const e = document.createElement(tag); if (text !== undefined) e.textContent = text; return e; };

  // Light and dark: the page follows the system until the button is pressed.
  const theme = document.getElementById("theme");
  const isDark = () => {
    const chosen = document.documentElement.style.colorScheme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const offer = () => { theme.textContent = isDark() ? "light" : "dark"; theme.setAttribute("aria-label", "switch to " + theme.textContent + " mode"); };
  theme.hidden = false;
  theme.addEventListener("click", () => { document.documentElement.style.colorScheme = isDark() ? "light" : "dark"; offer(); });
  offer();

  // Charts: the values of all lines at the pointer, or at the arrow keys.
  const tip = document.getElementById("tip");
  const write = (y, percent) => percent ? +(100 * y).toPrecision(3) + " %" : Math.abs(y) >= 1e4 ? Math.round(y).toLocaleString("en") : +y.toPrecision(3) + "";
  const nearest = (points, x) => points.reduce((best, p) => Math.abs(p[0] - x) < Math.abs(best[0] - x) ? p : best, points[0]);
  all("svg.chart").forEach((svg) => {
    const chart = JSON.parse(svg.dataset.chart), cursor = svg.querySelector(".cursor");
    const [left, right] = chart.box, [x0, x1] = chart.x;
    const known = Array.from(new Set(chart.series.flatMap((s) => s.points.map((p) => p[0])))).sort((a, b) => a - b);
    let at = -1;
    const show = (x, clientX, clientY) => {
      const place = left + (x - x0) / (x1 - x0) * (right - left);
      cursor.setAttribute("x1", place); cursor.setAttribute("x2", place); cursor.classList.add("on");
      tip.replaceChildren(make("p", Math.round(x).toLocaleString("en") + " " + chart.label));
      chart.series.forEach((s) => {
        const p = nearest(s.points, x), row = make("div"), key = make("i");
        key.style.background = s.color;
        row.append(key, s.name + " ", make("b", write(p[1], chart.percent)));
        if (p.length > 3) row.append(make("small", write(p[2], chart.percent) + " to " + write(p[3], chart.percent)));
        tip.append(row);
      });
      tip.hidden = false;
      tip.style.left = Math.max(4, Math.min(clientX + 14, innerWidth - tip.offsetWidth - 6)) + "px";
      tip.style.top = Math.max(4, Math.min(clientY + 14, innerHeight - tip.offsetHeight - 6)) + "px";
    };
    const hide = () => { tip.hidden = true; cursor.classList.remove("on"); };
    const follow = (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = x0 + ((event.clientX - box.left) * scale - left) / (right - left) * (x1 - x0);
      at = known.indexOf(nearest(known.map((k) => [k]), x)[0]);
      show(known[at], event.clientX, event.clientY);
    };
    svg.addEventListener("pointermove", follow);
    svg.addEventListener("pointerdown", follow);
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return hide();
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      event.preventDefault();
      at = Math.max(0, Math.min(known.length - 1, at + (event.key === "ArrowRight" ? 1 : -1)));
      const box = svg.getBoundingClientRect();
      show(known[at], box.left + box.width * (left + (known[at] - x0) / (x1 - x0) * (right - left)) / svg.viewBox.baseVal.width, box.top + 20);
    });
  });

  // A legend entry under the pointer fades the other lines.
  all("figure").forEach((figure) => {
    const drawn = all("svg.chart [data-name]", figure);
    all(".legend li", figure).forEach((li) => {
      const fade = (on) => drawn.forEach((e) => e.classList.toggle("fade", on && e.dataset.name !== li.dataset.name));
      li.addEventListener("pointerenter", () => fade(true));
      li.addEventListener("pointerleave", () => fade(false));
    });
  });

  // The rows of a method, its baseline and its control light up together.
  const bodies = all(".methods tbody");
  bodies.forEach((body) => {
    const names = body.dataset.related.split(" ");
    const light = (on) => bodies.forEach((other) => other.classList.toggle("related", on && names.includes(other.id.slice(2))));
    body.addEventListener("pointerenter", () => light(true));
    body.addEventListener("pointerleave", () => light(false));
  });

  // Trajectories: one at a time. Without this script all are shown.
  const viewer = document.getElementById("viewer");
  const panels = viewer ? all(".panel", viewer) : [];
  if (!panels.length) return;
  const bar = make("div"), which = make("select"), what = make("select"), back = make("button", "previous"), next = make("button", "next");
  bar.className = "choose";
  back.type = next.type = "button";
  const label = (text, control) => { const e = make("label", text + " "); e.append(control); return e; };
  panels.forEach((p, i) => which.append(new Option(p.dataset.method, i)));
  bar.append(label("method", which), label("trajectory", what), back, next);
  viewer.prepend(bar);
  const shown = () => all(".play", panels[which.value]);
  const draw = () => {
    panels.forEach((p, i) => { p.hidden = i !== +which.value; });
    shown().forEach((a, i) => { a.hidden = i !== +what.value; });
    back.disabled = +what.value <= 0;
    next.disabled = +what.value >= shown().length - 1;
  };
  const list = () => {
    what.replaceChildren(...shown().map((a, i) => new Option(a.dataset.label, i)));
    what.disabled = !shown().length;
    draw();
  };
  const step = (by) => { what.value = +what.value + by; draw(); };
  which.addEventListener("change", list);
  what.addEventListener("change", draw);
  back.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  const best = panels.findIndex((p) => all(".play", p).length && document.getElementById("m-" + p.dataset.method)?.classList.contains("method"));
  which.value = Math.max(0, best);
  which.parentElement.hidden = panels.length < 2;
  bar.hidden = !all(".play", viewer).length;
  list();
})();
