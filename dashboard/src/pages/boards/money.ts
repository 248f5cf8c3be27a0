// Money without a currency of its own is money of the project.
import type { DashboardDocument, Format } from "../../spec/types.ts";

export function withCurrency(document: DashboardDocument, currency: string | null): DashboardDocument {
  if (currency === null) return document;
  const named = (format: Format): Format => (format.kind === "money" && !format.currency ? { ...format, currency } : format);
  return {
    ...document,
    widgets: document.widgets.map((widget) =>
      widget.format
        ? { ...widget, format: Object.fromEntries(Object.entries(widget.format).map(([name, format]) => [name, named(format)])) }
        : widget,
    ),
  };
}
