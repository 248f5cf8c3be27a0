// The layout: every widget in its place with its picture, moved and resized by pointer or by arrow keys.

import { useMemo, useRef, useState } from "preact/hooks";
import { setQuery } from "../../location.ts";
import { GRID_COLUMNS, type Place, type Widget } from "../../spec/types.ts";
import { Button } from "../../ui/Button.tsx";
import { Empty } from "../../ui/States.tsx";
import { announce } from "../../ui/Toast.tsx";
import { areaOf, inReadingOrder } from "../boards/grid.ts";
import { useInSight } from "../boards/useBoard.ts";
import { newWidget } from "./columns.ts";
import type { Editor } from "./editor.ts";
import { clamped, type Direction, inWords, placed, samePlace, stepped } from "./layout.ts";
import { Picture } from "./Picture.tsx";
import { type Trial, usePreview } from "./preview.ts";

const DIRECTIONS: Record<string, Direction> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

/** A widget on its way: where the pointer took hold of it, and where it would be left. */
interface Drag {
  name: string;
  resize: boolean;
  from: Place;
  pointer: { x: number; y: number };
  cell: { w: number; h: number };
  at: Place;
}

export function Canvas({ editor, trial }: { editor: Editor; trial: Trial }) {
  const document = editor.document.value;
  const grid = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const widgets = drag ? placed(document.widgets, drag.name, drag.at) : document.widgets;
  // The order of the elements stays while widgets move: one that changes its place in the document loses the focus.
  const names = document.widgets.map((widget) => widget.name).sort().join(" ");
  const order = useMemo(() => inReadingOrder(document.widgets).map((widget) => widget.name), [names]);
  const open = (name: string) => setQuery({ widget: name });

  const begin = (event: PointerEvent, widget: Widget, resize: boolean) => {
    if (event.button !== 0 || !grid.current) return;
    const style = getComputedStyle(grid.current);
    const gap = Number.parseFloat(style.columnGap);
    const width = (grid.current.clientWidth + gap) / GRID_COLUMNS;
    const height = Number.parseFloat(style.gridAutoRows) + Number.parseFloat(style.rowGap);
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    const pointer = { x: event.clientX, y: event.clientY };
    setDrag({ name: widget.name, resize, from: widget.at, pointer, cell: { w: width, h: height }, at: widget.at });
  };
  const go = (event: PointerEvent) => {
    if (!drag) return;
    const x = Math.round((event.clientX - drag.pointer.x) / drag.cell.w);
    const y = Math.round((event.clientY - drag.pointer.y) / drag.cell.h);
    const { from } = drag;
    const wanted = drag.resize
      ? { ...from, w: Math.min(GRID_COLUMNS - from.x, from.w + x), h: from.h + y }
      : { ...from, x: from.x + x, y: from.y + y };
    const at = clamped(wanted);
    if (!samePlace(at, drag.at)) setDrag({ ...drag, at });
  };
  const end = () => {
    if (!drag) return;
    if (!samePlace(drag.at, drag.from)) {
      editor.move(drag.name, drag.at);
      announce(`Now at ${inWords(drag.at)}`);
    }
    setDrag(null);
  };
  const onKey = (event: KeyboardEvent, widget: Widget) => {
    if (event.key === "Escape" && drag) setDrag(null);
    const direction = DIRECTIONS[event.key];
    if (!direction || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const next = stepped(widget.at, direction, event.shiftKey);
    if (samePlace(next, widget.at)) announce(event.shiftKey ? "It cannot be made so" : "It cannot go further");
    else {
      editor.move(widget.name, next, `move ${widget.name}`);
      announce(inWords(next));
    }
  };

  const add = (sql: boolean) => {
    const widget = newWidget("widget", { x: 0, y: 0, w: 6, h: 5 });
    const { query: _, ...rest } = widget;
    open(editor.add(sql ? { ...rest, sql: "" } : widget));
  };
  return (
    <>
      <div class="row compose-tools">
        <Button kind="primary" onClick={() => add(false)}>
          Add a widget
        </Button>
        <Button onClick={() => add(true)}>Add one by SQL</Button>
        <Button kind="quiet" onClick={() => editor.closeGaps()} disabledBecause={document.widgets.length === 0 ? "there are no widgets" : null}>
          Close gaps
        </Button>
        <span class="quiet">
          Drag a widget by its handle, or go to the handle and use the arrow keys; with Shift they change its size.
        </span>
      </div>
      {widgets.length === 0 ? (
        <Empty title="There are no widgets yet">
          <p>Add one: choose a table and put its columns where you want to see them, or write SQL.</p>
        </Empty>
      ) : (
        <div class={drag ? "compose-grid dragging" : "compose-grid"} ref={grid}>
          {[...widgets].sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name)).map((widget) => (
            <Cell
              key={widget.name}
              editor={editor}
              widget={widget}
              trial={trial}
              moving={drag?.name === widget.name}
              onOpen={() => open(widget.name)}
              handle={{
                onPointerMove: go,
                onPointerUp: end,
                onPointerCancel: () => setDrag(null),
                onLostPointerCapture: () => setDrag(null),
                onKeyDown: (event: KeyboardEvent) => onKey(event, widget),
              }}
              onBegin={(event, resize) => begin(event, widget, resize)}
            />
          ))}
        </div>
      )}
    </>
  );
}

interface CellProps {
  editor: Editor;
  widget: Widget;
  trial: Trial;
  moving: boolean;
  onOpen: () => void;
  handle: {
    onPointerMove: (event: PointerEvent) => void;
    onPointerUp: () => void;
    onPointerCancel: () => void;
    onLostPointerCapture: () => void;
    onKeyDown: (event: KeyboardEvent) => void;
  };
  onBegin: (event: PointerEvent, resize: boolean) => void;
}

function Cell({ editor, widget, trial, moving, onOpen, handle, onBegin }: CellProps) {
  const { ref, seen } = useInSight();
  const preview = usePreview(widget, trial, seen);
  const title = widget.title || widget.name;
  const wrong = editor.findings.value.filter((finding) => finding.widget === widget.name).length;
  return (
    <section
      ref={(element) => void (ref.current = element)}
      class={moving ? "compose-cell moving" : "compose-cell"}
      style={areaOf(widget.at)}
      aria-label={title}
      data-widget={widget.name}
    >
      <header>
        <button
          type="button"
          class="compose-handle"
          aria-label={`Move ${title}: arrow keys, with Shift its size`}
          title="Drag, or arrow keys; with Shift its size"
          {...handle}
          onPointerDown={(event) => onBegin(event, false)}
        >
          <span aria-hidden="true">⠿</span>
        </button>
        <h3>{title}</h3>
        {wrong > 0 && <span class="badge warn">{wrong} to mend</span>}
        <div class="compose-cell-actions">
          <Button kind="quiet" onClick={onOpen} aria-label={`Edit ${title}`}>
            Edit
          </Button>
          <Button
            kind="quiet"
            aria-label={`Duplicate ${title}`}
            onClick={() => {
              editor.duplicate(widget.name);
              announce(`${title} is duplicated`);
            }}
          >
            Duplicate
          </Button>
          <Button
            kind="quiet"
            aria-label={`Delete ${title}`}
            onClick={() => {
              editor.remove(widget.name);
              announce(`${title} is deleted; undo brings it back`);
            }}
          >
            Delete
          </Button>
        </div>
      </header>
      <div class="compose-cell-body">
        <Picture widget={widget} preview={preview} />
      </div>
      <button
        type="button"
        class="compose-resize"
        aria-label={`Resize ${title}: Shift with arrow keys`}
        title="Drag to resize"
        {...handle}
        onPointerDown={(event) => onBegin(event, true)}
      >
        <span aria-hidden="true">◢</span>
      </button>
    </section>
  );
}
