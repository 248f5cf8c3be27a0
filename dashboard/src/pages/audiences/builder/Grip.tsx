// The handle of a rule: dragged by the pointer, or moved by the arrow keys when it has the focus.

import { useRef } from "preact/hooks";
import { tell } from "../../../ui/Toast.tsx";
import * as edit from "../rule/edit.ts";
import type { Node } from "../rule/model.ts";
import { said } from "../rule/words.ts";
import { gripId, useCanvas } from "./context.ts";

/** Pixels that a pointer goes before it drags. */
const BEGINS = 4;
/** Pixels from the edge of the window from where on the page goes along. */
const EDGE = 60;

const KEYS: Record<string, edit.Direction> = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "out", ArrowRight: "in" };

interface Drag {
  from: { x: number; y: number };
  moving: boolean;
  over: HTMLElement | null;
}

export function Grip({ node }: { node: Node }) {
  const { root, replace } = useCanvas();
  const drag = useRef<Drag | null>(null);
  const isListed = edit.spot(root, node.id)?.index != null;
  const name = said(node);
  if (!isListed) return <span class="grip" id={gripId(node.id)} tabIndex={-1} />;

  const end = (canvas: Element | null) => {
    drag.current?.over?.classList.remove("over");
    drag.current = null;
    canvas?.classList.remove("dragging");
  };
  const move = (event: PointerEvent) => {
    const now = drag.current;
    if (now === null) return;
    const canvas = (event.currentTarget as Element).closest(".canvas");
    if (!now.moving) {
      if (Math.hypot(event.clientX - now.from.x, event.clientY - now.from.y) < BEGINS) return;
      now.moving = true;
      canvas?.classList.add("dragging");
    }
    if (event.clientY < EDGE) scrollBy(0, -12);
    else if (event.clientY > innerHeight - EDGE) scrollBy(0, 12);
    const slots = [...(canvas?.querySelectorAll<HTMLElement>(".slot") ?? [])];
    const open = slots.filter((slot) => edit.fits(root, node.id, slot.dataset.parent ?? ""));
    const over = nearest(open, event.clientX, event.clientY);
    if (over === now.over) return;
    now.over?.classList.remove("over");
    over?.classList.add("over");
    now.over = over;
  };
  const drop = (event: PointerEvent) => {
    const over = drag.current?.moving ? drag.current.over : null;
    end((event.currentTarget as Element).closest(".canvas"));
    if (over === null || over.dataset.parent === undefined) return;
    replace(edit.move(root, node.id, over.dataset.parent, Number(over.dataset.index)), "Moved", node.id);
  };
  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape" && drag.current !== null) {
      end((event.currentTarget as Element).closest(".canvas"));
      return;
    }
    const direction = KEYS[event.key];
    if (direction === undefined) return;
    event.preventDefault();
    const moved = edit.step(root, node.id, direction);
    if (moved === root) tell("It cannot be moved further this way");
    else replace(moved, "Moved", node.id);
  };
  return (
    <button
      type="button"
      class="grip"
      id={gripId(node.id)}
      aria-label={`Move with the arrow keys: ${name}`}
      title="Drag, or use the arrow keys: left is out of the container, right is into the one beside"
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        drag.current = { from: { x: event.clientX, y: event.clientY }, moving: false, over: null };
      }}
      onPointerMove={move}
      onPointerUp={drop}
      onPointerCancel={(event) => end(event.currentTarget.closest(".canvas"))}
      onKeyDown={keys}
    >
      <span aria-hidden="true">⠿</span>
    </button>
  );
}

/** The place nearest to the pointer: by its height, and of several of one height the one that begins nearest. */
function nearest(slots: HTMLElement[], x: number, y: number): HTMLElement | null {
  let found: { slot: HTMLElement; distance: number } | null = null;
  for (const slot of slots) {
    const box = slot.getBoundingClientRect();
    const distance = Math.abs(y - (box.top + box.bottom) / 2) + Math.abs(x - box.left) / 20;
    if (found === null || distance < found.distance) found = { slot, distance };
  }
  return found?.slot ?? null;
}
