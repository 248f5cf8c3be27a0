// All columns that can be shown, by table, found by their words. Each goes to a place by a list of places, or by
// being dragged there.

import { useState } from "preact/hooks";
import type { Column } from "../../api/types.ts";
import { MARK_INFO, type Role } from "../../spec/marks.ts";
import type { Join, Widget } from "../../spec/types.ts";
import { SelectField, TextField } from "../../ui/Field.tsx";
import { announce } from "../../ui/Toast.tsx";
import { type Group, filterFrom, kindOf, putFrom, typeInWords } from "./attributes.ts";
import type { Source } from "./columns.ts";
import type { Change } from "./editor.ts";
import { wayInWords } from "./joins.ts";
import { Picker } from "./Picker.tsx";
import type { Trial } from "./preview.ts";
import { DRAGGED } from "./Roles.tsx";
import { ValuesDialog } from "./ValuesDialog.tsx";

interface Props {
  widget: Widget;
  groups: Group[];
  trial: Trial;
  change: Change;
}

interface Filtering {
  source: Source;
  way: Join | undefined;
}

export function ColumnList({ widget, groups, trial, change }: Props) {
  const [words, setWords] = useState("");
  const [filtering, setFiltering] = useState<Filtering | null>(null);
  const matches = (column: Column) => `${column.name} ${column.about}`.toLowerCase().includes(words.toLowerCase());
  const filter = (source: Source, way: Join | undefined) => {
    // The newest day, or yes, needs no values to be looked up; all else is chosen from what there is.
    if (source.type?.startsWith("Date")) change((now) => filterFrom(now, source, { op: "newest" }, way));
    else if (source.type === "Boolean") change((now) => filterFrom(now, source, { op: "=", value: true }, way));
    else setFiltering({ source, way });
  };
  return (
    <section aria-label="Columns" class="compose-columns">
      <h3>Columns</h3>
      <TextField label="Search columns" labelUnseen type="search" placeholder="Search columns" value={words} onValue={setWords} />
      <div class="compose-column-groups">
        {groups.map((group) => (
          <ColumnGroup
            key={group.table.name}
            group={group}
            base={widget.query?.table === group.table.name}
            columns={group.columns.filter(matches)}
            searched={words !== ""}
            widget={widget}
            onPut={(role, source, way) => {
              change((now) => putFrom(now, role, source, way));
              announce(`${source.column} is on ${roleLabel(widget, role)}`);
            }}
            onFilter={filter}
          />
        ))}
      </div>
      {filtering && (
        <ValuesDialog
          source={filtering.source}
          trial={trial}
          op="in"
          values={[]}
          onChoose={(op, values) => {
            change((now) => filterFrom(now, filtering.source, { op, values }, filtering.way));
            setFiltering(null);
          }}
          onClose={() => setFiltering(null)}
        />
      )}
    </section>
  );
}

function roleLabel(widget: Widget, role: Role | null): string {
  return MARK_INFO[widget.mark].roles.find((info) => info.role === role)?.label ?? "the answer";
}

interface GroupProps {
  group: Group;
  base: boolean;
  columns: Column[];
  searched: boolean;
  widget: Widget;
  onPut: (role: Role | null, source: Source, way: Join | undefined) => void;
  onFilter: (source: Source, way: Join | undefined) => void;
}

function ColumnGroup({ group, base, columns, searched, widget, onPut, onFilter }: GroupProps) {
  const [chosen, setChosen] = useState(0);
  if (searched && columns.length === 0) return null;
  const way = group.ways[chosen] ?? group.ways[0];
  const places: { label: string; value: Role | "filter" | null }[] = [
    ...MARK_INFO[widget.mark].roles.map((info) => ({ label: info.label, value: info.role })),
    { label: "Filter", value: "filter" },
    { label: "Only the answer", value: null },
  ];
  return (
    <details open={base || searched || group.ways.length === 0}>
      <summary>
        {group.table.name}{" "}
        <span class="quiet">
          {kindOf(group.table.name)}
          {way && `, joined ${wayInWords(way)}`}
        </span>
      </summary>
      {group.ways.length > 1 && (
        <SelectField
          label="Joined by"
          value={String(chosen)}
          choices={group.ways.map((one, i) => ({ value: String(i), label: wayInWords(one) }))}
          onValue={(value) => setChosen(Number(value))}
        />
      )}
      <ul>
        {columns.map((column) => {
          const source: Source = { table: group.table.name, column: column.name, type: column.type };
          return (
            <li
              key={column.name}
              draggable
              title={column.about}
              onDragStart={(event) => event.dataTransfer?.setData(DRAGGED, JSON.stringify(source))}
            >
              <span class="compose-column-name">{column.name}</span>
              <span class="quiet">{typeInWords(column.type)}</span>
              <Picker label={`Put ${column.name} on`} groups={[{ title: "Places", items: places }]} onPick={(to) => (to === "filter" ? onFilter(source, way) : onPut(to, source, way))}>
                Put
              </Picker>
            </li>
          );
        })}
      </ul>
    </details>
  );
}
