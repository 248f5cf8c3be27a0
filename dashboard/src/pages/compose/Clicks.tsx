// What a click on a part of the picture does: it sets filters of this dashboard, leads to another one with filters
// set there, or to the page of a customer.

import { type DashboardSummary, getDashboard } from "../../api/dashboards.ts";
import { useLoad } from "../../api/load.ts";
import type { Drill, Filter, Widget } from "../../spec/types.ts";
import { SelectField } from "../../ui/Field.tsx";
import { Shown } from "../../ui/States.tsx";
import type { Change } from "./editor.ts";

interface Props {
  widget: Widget;
  columns: string[];
  filters: Filter[];
  dashboards: DashboardSummary[];
  /** The name of this dashboard. */
  own: string;
  change: Change;
}

const NOWHERE = "";
const CUSTOMER = "#customer";

export function Clicks({ widget, columns, filters, dashboards, own, change }: Props) {
  const { drill, cross_filter: crossed = {} } = widget;
  const setDrill = (next: Drill | null) => change(({ drill: _, ...now }) => ({ ...now, ...(next ? { drill: next } : {}) }));
  const target = !drill ? NOWHERE : "customer" in drill ? CUSTOMER : drill.dashboard;
  const known = dashboards.some((one) => one.name === target) || target === NOWHERE || target === CUSTOMER;
  const choices = columns.map((name) => ({ value: name, label: name }));
  const setCrossed = (filter: string, column: string) =>
    change(({ cross_filter, ...now }) => {
      const { [filter]: _, ...others } = cross_filter ?? {};
      const next = column ? { ...others, [filter]: column } : others;
      return { ...now, ...(Object.keys(next).length > 0 ? { cross_filter: next } : {}) };
    });
  // A range has two ends, and a click has one value.
  const settable = filters.filter((filter) => filter.control !== "date_range");
  return (
    <section aria-label="Clicks" class="stack">
      <h3>Clicks</h3>
      <SelectField
        label="A click leads to"
        value={target}
        choices={[
          { value: NOWHERE, label: "nowhere" },
          { value: CUSTOMER, label: "the page of the customer" },
          ...(known ? [] : [{ value: target, label: target }]),
          ...dashboards.filter((one) => one.name !== own).map((one) => ({ value: one.name, label: one.title })),
        ]}
        onValue={(next) =>
          setDrill(next === NOWHERE ? null : next === CUSTOMER ? { customer: columns.includes("customer") ? "customer" : (columns[0] ?? "") } : { dashboard: next })
        }
      />
      {drill && "customer" in drill && (
        <SelectField label="Column of the customer" value={drill.customer} choices={choices} onValue={(customer) => setDrill({ customer })} />
      )}
      {drill && "dashboard" in drill && <Passed key={drill.dashboard} drill={drill} columns={columns} onChange={setDrill} />}
      {settable.length > 0 && (
        <>
          <p class="hint">or, instead of that, sets filters of this dashboard:</p>
          {settable.map((filter) => (
            <SelectField
              key={filter.name}
              label={filter.label ?? filter.name}
              value={crossed[filter.name] ?? ""}
              choices={[{ value: "", label: "not set" }, ...choices]}
              onValue={(column) => setCrossed(filter.name, column)}
            />
          ))}
        </>
      )}
    </section>
  );
}

type ToDashboard = Extract<Drill, { dashboard: string }>;

/** The filters of the dashboard that a click leads to, and the columns that they get their values from. */
function Passed({ drill, columns, onChange }: { drill: ToDashboard; columns: string[]; onChange: (drill: ToDashboard) => void }) {
  const target = useLoad((signal) => getDashboard(drill.dashboard, false, signal), [drill.dashboard]);
  return (
    <Shown of={target} what="Its filters are loading" lines={1}>
      {({ document }) => {
        const filters = (document.filters ?? []).filter((filter) => filter.control !== "date_range");
        if (filters.length === 0) return <p class="hint">It has no filters to be set.</p>;
        return (
          <>
            <p class="hint">with its filters set from columns of the row:</p>
            {filters.map((filter) => (
              <SelectField
                key={filter.name}
                label={filter.label ?? filter.name}
                value={drill.pass?.[filter.name] ?? ""}
                choices={[{ value: "", label: "as it is" }, ...columns.map((name) => ({ value: name, label: name }))]}
                onValue={(column) => {
                  const { [filter.name]: _, ...others } = drill.pass ?? {};
                  const pass = column ? { ...others, [filter.name]: column } : others;
                  onChange({ dashboard: drill.dashboard, ...(Object.keys(pass).length > 0 ? { pass } : {}) });
                }}
              />
            ))}
          </>
        );
      }}
    </Shown>
  );
}
