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

  // Paper is light, and holds every chart.
  addEventListener("beforeprint", () => {
    root.classList.add("print");
    plots.forEach(draw);
  });
  addEventListener("afterprint", () => {
    root.classList.remove("print");
    plots.forEach(draw);
  });

  // A link to a decision opens it.
  function open() {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") target.open = true;
  }
  addEventListener("hashchange", open);
  open();
})();
