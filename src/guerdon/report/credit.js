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
  const offer = () => { theme.textContent = isDark() ? "light" : "dark"; };
  theme.hidden = false;
  theme.addEventListener("click", () => { document.documentElement.style.colorScheme = isDark() ? "light" : "dark"; offer(); });
  offer();

  // Which lines have a colour: those whose box is ticked. A hue is kept until its box is cleared.
  const legend = document.querySelector(".lines"), boxes = all(".map input");
  const hues = new Map();
  const look = (box) => {
    if (box.dataset.color) return [box.dataset.color, ""];
    if (!hues.has(box.value)) {
      const used = new Set(hues.values());
      let k = 0;
      while (used.has(k)) k += 1;
      hues.set(box.value, k);
    }
    const k = hues.get(box.value);
    return ["var(--s" + (k % 8) + ")", ["", "6 3", "2 3"][Math.floor(k / 8) % 3]];
  };
  const draw = () => {
    boxes.filter((b) => !b.checked).forEach((b) => hues.delete(b.value));
    legend.replaceChildren();
    boxes.forEach((box) => {
      const [color, dash] = box.checked ? look(box) : ["", ""];
      all('.curve[data-id="' + CSS.escape(box.value) + '"]').forEach((g) => {
        g.classList.toggle("on", box.checked);
        g.style.setProperty("--c", color); g.style.setProperty("--d", dash || "none");
        if (box.checked) g.parentNode.appendChild(g);
      });
      if (!box.checked) return;
      const li = make("li"), key = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      key.setAttribute("viewBox", "0 0 22 10"); key.setAttribute("class", "swatch"); line.setAttribute("d", "M0 5H22");
      line.style.stroke = color; line.style.strokeDasharray = dash || "none";
      key.append(line); li.append(key, box.dataset.name); legend.append(li);
    });
  };
  boxes.forEach((box) => box.addEventListener("change", draw));
  draw();

  // The line nearest to the pointer, with its name and number.
  const tip = document.getElementById("tip");
  all("svg.chart").forEach((svg) => {
    const chart = JSON.parse(svg.dataset.chart);
    let hot = null;
    const hide = () => { tip.hidden = true; if (hot) hot.classList.remove("hot"); hot = null; };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      let best = null, least = 900;
      chart.forEach((s) => s.points.forEach((p) => {
        const d = (p[0] - x) ** 2 + (p[1] - y) ** 2;
        if (d < least) { least = d; best = [s, p]; }
      }));
      hide();
      if (!best) return;
      hot = svg.querySelector('.curve[data-id="' + CSS.escape(best[0].id) + '"]');
      hot.classList.add("hot");
      tip.replaceChildren(make("p", Math.round(best[1][2]).toLocaleString("en") + " environment steps"));
      const row = make("div");
      row.append(best[0].name + " ", make("b", "cosine " + best[1][3].toFixed(3)));
      tip.append(row);
      tip.hidden = false;
      tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6)) + "px";
      tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 6)) + "px";
    });
    svg.addEventListener("pointerleave", hide);
  });
})();
