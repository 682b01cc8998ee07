// The value of the curve point nearest to the pointer or finger. Each drawing carries its points as JSON:
// [left, top, x, y], the first two as fractions of its width and height.
const tip = document.getElementById("tip");

for (const drawing of document.querySelectorAll(".drawing")) {
  const curves = JSON.parse(drawing.querySelector("script").textContent);
  const svg = drawing.querySelector("svg");
  const dot = document.createElement("i");
  dot.className = "dot";
  dot.hidden = true;
  drawing.append(dot);

  const hide = () => { tip.hidden = dot.hidden = true; };
  const show = (event) => {
    const box = svg.getBoundingClientRect();
    let nearest = null;
    let least = 40; // pixels: further away is no point meant
    for (const curve of curves) {
      for (const [left, top, x, y] of curve.points) {
        const px = box.left + left * box.width;
        const py = box.top + top * box.height;
        const distance = Math.hypot(px - event.clientX, py - event.clientY);
        if (distance < least) {
          least = distance;
          nearest = { curve, left, top, x, y, px, py };
        }
      }
    }
    if (!nearest) return hide();
    const name = document.createElement("b");
    name.textContent = nearest.curve.label;
    tip.replaceChildren(name, `${nearest.curve.y} ${nearest.y} at ${nearest.curve.x} ${nearest.x}`);
    dot.style.borderColor = nearest.curve.color;
    dot.style.left = `${nearest.left * box.width}px`;
    dot.style.top = `${nearest.top * box.height}px`;
    tip.hidden = dot.hidden = false;
    const width = tip.offsetWidth;
    tip.style.left = `${Math.max(8, Math.min(nearest.px + 14, innerWidth - width - 8))}px`;
    tip.style.top = `${nearest.py > 80 ? nearest.py - tip.offsetHeight - 12 : nearest.py + 16}px`;
  };
  drawing.addEventListener("pointermove", show);
  drawing.addEventListener("pointerdown", show);
  drawing.addEventListener("pointerleave", hide);
}
addEventListener("scroll", () => {
  tip.hidden = true;
  for (const dot of document.querySelectorAll(".dot")) dot.hidden = true;
}, { passive: true });
