// The places of a mark, and the columns that are put there: each with its aggregate, and a way to take it off again.

import { outputName } from "../../spec/compile.ts";
import { MARK_INFO, type Role, type RoleInfo } from "../../spec/marks.ts";
import { type Aggregate, AGGREGATES, type QueryColumn, type Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { announce } from "../../ui/Toast.tsx";
import { type Group, putFrom, typeInWords } from "./attributes.ts";
import { shown, type Source, swapped, takenOff, withAggregate, withoutColumn } from "./columns.ts";
import type { Change } from "./editor.ts";
import { Picker } from "./Picker.tsx";

export const AGGREGATE_WORDS: Record<Aggregate, string> = {
  sum: "sum",
  avg: "mean",
  min: "least",
  max: "greatest",
  count: "count",
  count_distinct: "distinct",
};

/** What is dragged from the list of columns: a source as JSON. */
export const DRAGGED = "application/x-tenfold-column";

interface Props {
  widget: Widget;
  groups: Group[];
  change: Change;
}

export function Roles({ widget, groups, change }: Props) {
  const { roles } = MARK_INFO[widget.mark];
  const placed = new Set(roles.flatMap((info) => shown(widget.encode, info.role)));
  const others = (widget.query?.columns ?? []).filter((column) => !placed.has(outputName(column)));
  const axes = roles.some((info) => info.role === "x") && roles.some((info) => info.role === "y");
  const put = (role: Role | null, source: Source, label: string) => {
    const way = groups.find((group) => group.table.name === source.table)?.ways[0];
    change((now) => putFrom(now, role, source, way));
    announce(`${source.column ?? "The number of rows"} is on ${label}`);
  };
  return (
    <section aria-label="Places" class="compose-roles">
      <div class="row">
        <h3>Shown on</h3>
        {axes && (
          <Button kind="quiet" class="row-end" onClick={() => change(swapped)}>
            Swap x and y
          </Button>
        )}
      </div>
      {roles.map((info) => (
        <RolePlace key={info.role} info={info} widget={widget} groups={groups} change={change} onPut={put} />
      ))}
      <div
        class="compose-role"
        role="group"
        aria-label="Also in the answer"
        {...dropping((source) => put(null, source, "the answer"))}
      >
        <span class="compose-role-name">Also there</span>
        <div class="compose-chips">
          {others.map((column) => (
            <Chip
              key={outputName(column)}
              column={column}
              where="the answer"
              onAggregate={(aggregate) => change((now) => withAggregate(now, outputName(column), aggregate))}
              onOff={() => change((now) => withoutColumn(now, outputName(column)))}
            />
          ))}
          <ColumnSelect groups={groups} label="Add a column to the answer" onChoose={(source) => put(null, source, "the answer")} />
        </div>
      </div>
    </section>
  );
}

interface RoleProps {
  info: RoleInfo;
  widget: Widget;
  groups: Group[];
  change: Change;
  onPut: (role: Role, source: Source, label: string) => void;
}

function RolePlace({ info, widget, groups, change, onPut }: RoleProps) {
  const names = shown(widget.encode, info.role);
  const columns = names.flatMap((name) => widget.query?.columns.filter((column) => outputName(column) === name) ?? []);
  return (
    <div class="compose-role" role="group" aria-label={info.label} {...dropping((source) => onPut(info.role, source, info.label))}>
      <span class="compose-role-name">
        {info.label}
        {!info.optional && names.length === 0 && <span class="quiet"> needed</span>}
      </span>
      <div class="compose-chips">
        {columns.map((column) => (
          <Chip
            key={outputName(column)}
            column={column}
            where={info.label}
            onAggregate={(aggregate) => change((now) => withAggregate(now, outputName(column), aggregate))}
            onOff={() => change((now) => takenOff(now, info.role, outputName(column)))}
          />
        ))}
        {(info.many || names.length === 0) && (
          <ColumnSelect groups={groups} label={`Put a column on ${info.label}`} onChoose={(source) => onPut(info.role, source, info.label)} />
        )}
      </div>
    </div>
  );
}

interface ChipProps {
  column: QueryColumn;
  where: string;
  onAggregate: (aggregate: Aggregate | undefined) => void;
  onOff: () => void;
}

function Chip({ column, where, onAggregate, onOff }: ChipProps) {
  const name = column.column ?? "rows";
  return (
    <span class="compose-chip">
      {column.column === undefined ? (
        <span>number of rows</span>
      ) : (
        <>
          <select
            aria-label={`How ${name} on ${where} is put together`}
            value={column.aggregate ?? ""}
            onChange={(event) => onAggregate((event.currentTarget.value || undefined) as Aggregate | undefined)}
          >
            <option value="">each</option>
            {AGGREGATES.map((aggregate) => (
              <option key={aggregate} value={aggregate}>
                {AGGREGATE_WORDS[aggregate]}
              </option>
            ))}
          </select>
          <span title={column.table ? `${column.table}.${name}` : name}>{name}</span>
        </>
      )}
      <button type="button" class="compose-chip-off" aria-label={`Take ${name} off ${where}`} onClick={onOff}>
        ✕
      </button>
    </span>
  );
}

/** All columns in a list to choose from, by table. */
export function ColumnSelect({ groups, label, onChoose }: { groups: Group[]; label: string; onChoose: (source: Source) => void }) {
  const base = groups[0];
  if (!base) return null;
  const columns = groups.map((group) => ({
    title: group.table.name,
    items: group.columns.map((column) => ({
      label: column.name,
      about: typeInWords(column.type),
      value: { table: group.table.name, column: column.name, type: column.type } as Source,
    })),
  }));
  const rows = { title: "Rows", items: [{ label: "number of rows", value: { table: base.table.name } as Source }] };
  return (
    <Picker label={label} groups={[rows, ...columns]} onPick={onChoose}>
      + column
    </Picker>
  );
}

/** What takes a column that is dropped on it. */
function dropping(onDrop: (source: Source) => void) {
  return {
    onDragOver: (event: DragEvent) => {
      if (event.dataTransfer?.types.includes(DRAGGED)) event.preventDefault();
    },
    onDrop: (event: DragEvent) => {
      const text = event.dataTransfer?.getData(DRAGGED);
      if (!text) return;
      event.preventDefault();
      onDrop(JSON.parse(text) as Source);
    },
  };
}
