// A first sentence about a picture, for somebody to go on from.

import { MARK_INFO } from "../../spec/marks.ts";
import type { Widget } from "../../spec/types.ts";
import { shown } from "./columns.ts";

const words = (name: string) => name.replaceAll("_", " ");

export function described(widget: Widget): string {
  const { encode, mark } = widget;
  const of = (...roles: (keyof typeof encode)[]) => roles.flatMap((role) => shown(encode, role).map(words));
  const amounts = mark === "point" ? of("y") : of("value", "size", ...(mark === "heatmap" || mark === "table" ? [] : (["y"] as const)), "line");
  const by = mark === "heatmap" ? of("x", "y") : mark === "point" ? of("x") : of("x", "color");
  const what = amounts.length > 0 ? amounts.join(", ") : widget.title || "the rows";
  return `${MARK_INFO[mark].label} of ${what}${by.length > 0 ? ` by ${by.join(" and ")}` : ""}.`;
}
