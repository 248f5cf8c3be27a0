// Dashboards to open in the composer.
import assert from "node:assert/strict";

/** Keeps a dashboard, by asking the server; the answer. */
export async function putDashboard(site, name, body) {
  const answer = await fetch(`${site.api}/v1/dashboards/${name}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  assert.ok(answer.ok, JSON.stringify(said));
  return said;
}

/** Keeps a dashboard for everybody, and opens it in the composer, or its `widget`. */
export async function openComposer(site, name, document, options = {}) {
  await putDashboard(site, name, { document, draft: false, base: null });
  return site.open(`#/compose/${name}${options.widget ? `?widget=${options.widget}` : ""}`, options);
}

/** A widget of bars. */
export const bars = (name, at) => ({
  name,
  title: `Value ${name}`,
  at,
  query: {
    table: "fact_value_by_decile",
    columns: [{ column: "decile" }, { column: "total", aggregate: "sum", as: "total" }],
    where: [{ column: "measure", op: "=", value: "revenue" }],
    order: [{ column: "decile" }],
  },
  mark: "bar",
  encode: { x: "decile", y: "total" },
  describe: "Bars of value by decile.",
});
