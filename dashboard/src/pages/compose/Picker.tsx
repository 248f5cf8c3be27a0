// A button that opens a list of things to choose from, above everything else on the page. Nothing is chosen before
// somebody says so: arrow keys go through the list, Enter chooses, Escape closes it. Long lists can be searched.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

export interface PickerGroup<T> {
  title: string;
  items: { label: string; about?: string; value: T }[];
}

interface Props<T> {
  /** What is chosen, for those who do not see where the button stands. */
  label: string;
  groups: PickerGroup<T>[];
  onPick: (value: T) => void;
  children: ComponentChildren;
}

/** Lists that are longer have a field to search in. */
const SEARCHED = 12;
const ROOM = 4;

export function Picker<T>({ label, groups, onPick, children }: Props<T>) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button type="button" class="picker" ref={button} aria-label={label} aria-haspopup="dialog" aria-expanded={open} onClick={() => setOpen(true)}>
        {children}
      </button>
      {open && (
        <List
          label={label}
          groups={groups}
          button={button}
          onPick={(value) => {
            setOpen(false);
            button.current?.focus();
            onPick(value);
          }}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

interface ListProps<T> extends Omit<Props<T>, "children"> {
  button: { current: HTMLButtonElement | null };
  onClose: () => void;
}

function List<T>({ label, groups, button, onPick, onClose }: ListProps<T>) {
  const list = useRef<HTMLDivElement>(null);
  const [words, setWords] = useState("");
  const many = groups.reduce((sum, group) => sum + group.items.length, 0) > SEARCHED;
  const found = groups
    .map((group) => ({ ...group, items: group.items.filter((item) => item.label.toLowerCase().includes(words.toLowerCase())) }))
    .filter((group) => group.items.length > 0);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    element.showPopover();
    placeBy(element, button.current);
    element.querySelector<HTMLElement>("input, button")?.focus();
    const closed = (event: Event) => {
      if ((event as ToggleEvent).newState === "closed") onClose();
    };
    element.addEventListener("toggle", closed);
    return () => element.removeEventListener("toggle", closed);
  }, []);
  const keys = (event: KeyboardEvent) => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>("input, button") ?? [])];
    const now = all.indexOf(document.activeElement as HTMLElement);
    const inText = document.activeElement instanceof HTMLInputElement;
    const to: Record<string, number> = {
      ArrowDown: Math.min(now + 1, all.length - 1),
      ArrowUp: Math.max(now - 1, 0),
      ...(inText ? {} : { Home: 0, End: all.length - 1 }),
    };
    const next = to[event.key];
    if (next !== undefined) all[next]?.focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      // Leaving is closing: the list stands apart from where the page goes on.
      button.current?.focus();
      onClose();
      if (event.key === "Tab") return;
    } else if (event.key === "Enter" && inText) all[1]?.click();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="picker-list" popover="auto" role="dialog" aria-label={label} ref={list} onKeyDown={keys}>
      {many && (
        <input type="search" aria-label="Search" placeholder="Search" value={words} onInput={(event) => setWords(event.currentTarget.value)} />
      )}
      {found.map((group) => (
        <div key={group.title} role="group" aria-label={group.title}>
          {groups.length > 1 && (
            <div class="picker-title" aria-hidden="true">
              {group.title}
            </div>
          )}
          {group.items.map((item) => (
            <button type="button" key={item.label} onClick={() => onPick(item.value)}>
              <span>{item.label}</span>
              {item.about && <span class="quiet">{item.about}</span>}
            </button>
          ))}
        </div>
      ))}
      {found.length === 0 && <p class="quiet">Nothing has these words.</p>}
    </div>
  );
}

/** Below the button, or above it where there is more room. */
function placeBy(element: HTMLElement, button: HTMLElement | null): void {
  if (!button) return;
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = element;
  const left = Math.max(ROOM, Math.min(at.left, innerWidth - width - ROOM));
  const under = innerHeight - at.bottom;
  const top = under >= height + ROOM || under >= at.top ? at.bottom + 2 : Math.max(ROOM, at.top - height - 2);
  element.style.left = `${left}px`;
  element.style.top = `${top}px`;
  element.style.maxHeight = `${Math.min(384, Math.max(under, at.top) - 2 * ROOM)}px`;
}
