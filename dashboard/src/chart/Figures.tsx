// What is shown without axes: single numbers, tables, pivots; and the table twin of every chart.
import { useMemo } from "preact/hooks";
import type { ResultColumn, Row } from "../api/types.ts";
import { Button } from "../ui/Button.tsx";
import { DataTable, type TableColumn } from "../ui/DataTable.tsx";
import { counted, isNumeric } from "../ui/format.ts";
import { Partial } from "../ui/States.tsx";
import { cellText, figuresOf, pivotOf } from "./figures.ts";
import { ChartError, type ChartSpec, list, type Result, titleOf } from "./shape.ts";

interface Props {
  spec: ChartSpec;
  result: Result;
}

interface Picks {
  onPick?: { label: string; pick: (row: Row) => void };
}

export function Figures({ spec, result, earlier }: Props & { earlier: Result | null }) {
  return tried(
    () => figuresOf(spec, result, earlier),
    (figures) => (
      <div class="chart-figures">
        {figures.map((figure) => (
          <div key={figure.column} class="chart-figure">
            <div class="figure-number" title={figure.exact}>
              {figure.text}
            </div>
            {figures.length > 1 && <div class="quiet">{titleOf(figure.column)}</div>}
            {figure.change && (
              <div class="figure-change">
                <span aria-hidden="true">{{ up: "▲", down: "▼", same: "●" }[figure.change.direction]}</span> {figure.change.text}
                <span class="quiet"> from {figure.change.before}</span>
              </div>
            )}
          </div>
        ))}
      </div>
    ),
  );
}

export function PivotTable({ title, spec, result, onPick }: Props & Picks & { title: string }) {
  return tried(
    () => pivotOf(spec, result),
    (pivot) => (
      <div class="table-scroll" tabIndex={0} role="group" aria-label={`${title}: table, can be scrolled`}>
        <table class="pivot">
          <caption class="unseen">
            {title}: {titleOf(pivot.value)} by {titleOf(pivot.x)} and {titleOf(pivot.color)}
          </caption>
          <thead>
            <tr>
              <th scope="col">{`${titleOf(pivot.x)} \\ ${titleOf(pivot.color)}`}</th>
              {pivot.heads.map((head) => (
                <th key={JSON.stringify(head)} scope="col" class="numeric">
                  {cellText(spec, pivot.color, head)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {pivot.rows.map((row) => (
              <tr key={JSON.stringify(row.head)}>
                <th scope="row">{cellText(spec, pivot.x, row.head)}</th>
                {row.cells.map((cell, i) => (
                  <td key={i} class="numeric">
                    {onPick && cell.row ? (
                      <Button kind="quiet" class="in-cell" title={onPick.label} onClick={() => cell.row && onPick.pick(cell.row)}>
                        {cell.text}
                      </Button>
                    ) : (
                      cell.text
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    ),
  );
}

/** The rows of the answer; the columns that the widget names, or `all`. */
export function ResultTable({ title, spec, result, onPick, all = false }: Props & Picks & { title: string; all?: boolean }) {
  const columns = useMemo<TableColumn<Row>[]>(() => {
    const asked = all || spec.mark !== "table" ? [] : list(spec.encode.y);
    const named = asked.filter((name) => result.columns.some((column) => column.name === name));
    const shown = named.length > 0 ? named.map((name) => result.columns.find((column) => column.name === name)) : result.columns;
    return shown.flatMap((column) =>
      column === undefined
        ? []
        : [
            {
              name: column.name,
              label: titleOf(column.name),
              numeric: isNumeric(column.type),
              value: (row: Row) => row[column.name],
              show: (row: Row) => tableText(spec, column, row),
            },
          ],
    );
  }, [spec, result, all]);
  const sort = spec.options?.sort;
  return (
    <DataTable
      // Another order that the widget asks for takes the place of the one that was clicked.
      key={JSON.stringify(sort)}
      caption={`${title}: ${counted(result.rows.length, "row")}`}
      captionUnseen={spec.mark === "table" && !all}
      columns={columns}
      rows={result.rows}
      {...(sort ? { sort } : {})}
      {...(onPick ? { onRow: { label: () => onPick.label, choose: onPick.pick } } : {})}
    />
  );
}

/** Values as they are, where nothing says how they are written: a table shows what the query answered. */
function tableText(spec: ChartSpec, { name, type }: ResultColumn, row: Row): string {
  const cell = row[name];
  if (spec.format?.[name]) return cellText(spec, name, cell);
  if (cell === null || cell === undefined) return "–";
  // Eight digits tell what there is to tell of a float; CSV has them all. Sums of money are exact, and stay so.
  const isFloat = typeof cell === "number" && type.startsWith("Float") && !Number.isInteger(cell);
  return isFloat ? String(Number(cell.toPrecision(8))) : typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

function tried<T>(make: () => T, show: (made: T) => preact.JSX.Element): preact.JSX.Element {
  try {
    return show(make());
  } catch (thrown) {
    if (thrown instanceof ChartError) return <Partial>This cannot be shown: {thrown.message}.</Partial>;
    throw thrown;
  }
}
