/** Draws the charts with Vega-Lite, in the page's colours, each when it is about to be seen. */
const charts = (() => {
  const drawn = new Map();
  const probe = element("span", { hidden: "" });
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };

  function config() {
    const [ink, muted, line] = ["ink", "muted", "line"].map(colour);
    const font = getComputedStyle(document.body).fontFamily;
    const series = [0, 1, 2, 3, 4, 5, 6].map((number) => colour(`series-${number}`));
    return {
      background: null,
      font,
      view: { stroke: null },
      axis: { labelColor: muted, titleColor: muted, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", tickSize: 3 },
      legend: { labelColor: ink, titleColor: muted, orient: "top", labelFontSize: 12, titleFontWeight: "normal", titleFontSize: 11 },
      title: { color: ink, fontSize: 13, fontWeight: 600, anchor: "start" },
      range: { category: series },
    };
  }

  /** The colours of marks that stand for one thing each, by their style; Vega-Lite's own would win over a theme's. */
  function painted(specification) {
    specification.datasets = data.datasets;
    const colours = { before: colour("series-1"), after: colour("series-2"), contour: colour("muted") };
    for (const layer of specification.layer) {
      if (colours[layer.mark.style]) layer.mark.color = colours[layer.mark.style];
    }
    return specification;
  }

  async function draw(holder) {
    const specification = data.charts[Number(holder.dataset.chart)];
    drawn.get(holder)?.finalize();
    const result = await vegaEmbed(
      holder,
      // Vega takes the objects that it gets for its own.
      { ...painted(structuredClone(specification)), width: "container", autosize: { type: "fit-x", contains: "padding" } },
      // ast: expressions are interpreted, for the page's policy forbids to compile them.
      { actions: false, ast: true, renderer: "canvas", config: config() },
    );
    drawn.set(holder, result);
    choose(result);
  }

  /** Histograms show the set that is chosen above them, and the others pale. */
  let chosen = "";
  const choose = ({ view }) => {
    if ("chosen" in view.getState().signals) view.signal("chosen", chosen).runAsync();
  };
  const sets = document.getElementById("sets");
  (sets ? JSON.parse(sets.dataset.sets) : []).forEach((name, index) => {
    const button = element("button", { class: "plain", type: "button", "aria-pressed": "false", click: () => {
      chosen = chosen === name ? "" : name;
      for (const other of sets.children) other.setAttribute("aria-pressed", other.textContent === chosen);
      drawn.forEach(choose);
    } }, name);
    button.style.setProperty("--colour", `var(--series-${index % 7})`);
    sets.append(button);
  });

  for (const holder of document.querySelectorAll("[data-chart]")) whenSeen(holder, () => draw(holder));
  return { redraw: () => [...drawn.keys()].forEach(draw) };
})();
