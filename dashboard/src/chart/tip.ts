// The box beside the pointer, as elements: texts of data are never read as HTML.
import type { Tip } from "./option.ts";

export function tipElement(tip: Tip): HTMLElement {
  const box = document.createElement("div");
  if (tip.title !== "") add(box, "div", "tip-title", tip.title);
  for (const { name, value, color } of tip.lines) {
    const line = add(box, "div", "tip-line", "");
    const mark = add(line, "span", "tip-mark", "");
    mark.style.background = color;
    add(line, "span", "tip-name", name);
    add(line, "span", "tip-value", value);
  }
  return box;
}

function add(parent: HTMLElement, kind: string, name: string, text: string): HTMLElement {
  const element = document.createElement(kind);
  element.className = name;
  if (text !== "") element.textContent = text;
  parent.append(element);
  return element;
}
