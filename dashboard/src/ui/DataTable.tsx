// A table of rows: with a caption, a head that stays in sight, sorting by column and pages. Sorting and paging are of
// the rows that are given; what has more rows elsewhere says so in its caption.
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Cell } from "../api/types.ts";
import { Button } from "./Button.tsx";
import { number } from "./format.ts";

export interface TableColumn<R> {
  name: string;
  label?: ComponentChildren;
  /** Numbers stand to the right. */
  numeric?: boolean;
  /** What is shown; the value as text when left out. */
  show?: (row: R) => ComponentChildren;
  /** What it is sorted by; a column without is not sorted. */
  value?: (row: R) => Cell | undefined;
  /** The cells of this column head their rows. */
  head?: boolean;
  about?: string;
}

interface Props<R> {
  caption: ComponentChildren;
  captionUnseen?: boolean;
  columns: TableColumn<R>[];
  rows: R[];
  rowKey?: (row: R, index: number) => string | number;
  pageSize?: number;
  /** The place of a row whose page is shown first. */
  start?: number;
  sort?: Sort;
  /** Chosen by a click on a row or by its button. */
  onRow?: { label: (row: R) => string; choose: (row: R) => void };
  empty?: ComponentChildren;
}

export interface Sort {
  column: string;
  descending?: boolean;
}

/** Orders values of one column: numbers by size, also those that are texts of many digits; what is missing comes last. */
export function compareCells(a: Cell | undefined, b: Cell | undefined): number {
  const none = (value: Cell | undefined) => value === null || value === undefined;
  if (none(a) || none(b)) return none(a) ? (none(b) ? 0 : 1) : -1;
  const [left, right] = [Number(a), Number(b)];
  if (!Number.isNaN(left) && !Number.isNaN(right) && a !== "" && b !== "") return left - right;
  return String(a).localeCompare(String(b), "en");
}

export function sortRows<R>(rows: R[], value: (row: R) => Cell | undefined, descending: boolean): R[] {
  const missing = (row: R) => value(row) === null || value(row) === undefined;
  return [...rows].sort((a, b) => {
    const order = compareCells(value(a), value(b));
    return descending && !missing(a) && !missing(b) ? -order : order;
  });
}

export function DataTable<R>(props: Props<R>) {
  const { columns, rows, pageSize = 100, start = 0, onRow, empty = "There are no rows." } = props;
  const [sort, setSort] = useState<Sort | null>(props.sort ?? null);
  const [page, setPage] = useState(Math.floor(Math.max(0, start) / pageSize));
  const ordered = useMemo(() => {
    const by = columns.find((column) => column.name === sort?.column)?.value;
    return by ? sortRows(rows, by, sort?.descending === true) : rows;
  }, [rows, columns, sort]);
  const pages = Math.max(1, Math.ceil(ordered.length / pageSize));
  const shown = Math.min(page, pages - 1);
  const part = ordered.slice(shown * pageSize, (shown + 1) * pageSize);
  const choose = (column: string) =>
    setSort(sort?.column !== column ? { column } : sort.descending ? null : { column, descending: true });

  return (
    <div class="table-frame">
      <div class="table-scroll" tabIndex={0} role="group" aria-label="Table, can be scrolled">
        <table>
          <caption class={props.captionUnseen ? "unseen" : ""}>{props.caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => {
                const sorted = sort?.column === column.name ? (sort.descending ? "descending" : "ascending") : undefined;
                return (
                  <th
                    key={column.name}
                    scope="col"
                    class={column.numeric ? "numeric" : ""}
                    {...(column.about ? { title: column.about } : {})}
                    {...(sorted ? { "aria-sort": sorted } : {})}
                  >
                    {column.value ? (
                      <button type="button" class="sorter" onClick={() => choose(column.name)}>
                        {column.label ?? column.name}
                        <span aria-hidden="true" class="arrow">
                          {sorted === "ascending" ? " ▲" : sorted === "descending" ? " ▼" : ""}
                        </span>
                      </button>
                    ) : (
                      (column.label ?? column.name)
                    )}
                  </th>
                );
              })}
              {onRow && (
                <th scope="col">
                  <span class="unseen">Choose</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {part.map((row, index) => (
              <tr
                key={props.rowKey?.(row, index) ?? index}
                class={onRow ? "choosable" : ""}
                {...(onRow ? { onClick: () => onRow.choose(row) } : {})}
              >
                {columns.map((column) => {
                  const content = column.show ? column.show(row) : String(column.value?.(row) ?? "–");
                  const kind = column.numeric ? "numeric" : "";
                  return column.head ? (
                    <th key={column.name} scope="row" class={kind}>
                      {content}
                    </th>
                  ) : (
                    <td key={column.name} class={kind}>
                      {content}
                    </td>
                  );
                })}
                {onRow && (
                  <td>
                    <Button
                      kind="quiet"
                      class="in-cell"
                      onClick={(event) => {
                        event.stopPropagation();
                        onRow.choose(row);
                      }}
                    >
                      {onRow.label(row)}
                    </Button>
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
        {rows.length === 0 && <p class="quiet pad">{empty}</p>}
      </div>
      {pages > 1 && (
        <nav class="pager" aria-label="Pages of the table">
          <Button kind="quiet" disabledBecause={shown === 0 ? "this is the first page" : null} onClick={() => setPage(shown - 1)}>
            Previous
          </Button>
          <span aria-live="polite">
            {number(shown * pageSize + 1)}–{number(Math.min((shown + 1) * pageSize, rows.length))} of {number(rows.length)}
          </span>
          <Button kind="quiet" disabledBecause={shown === pages - 1 ? "this is the last page" : null} onClick={() => setPage(shown + 1)}>
            Next
          </Button>
        </nav>
      )}
    </div>
  );
}
