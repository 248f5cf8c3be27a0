// What a new rule is about: a column, events, another audience, or a container for further rules.

import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog } from "../../../ui/Dialog.tsx";
import { TextField } from "../../../ui/Field.tsx";
import type { Scope } from "../rule/edit.ts";
import { firstTest, fresh } from "../rule/fresh.ts";
import { newId, type Kind, type Node } from "../rule/model.ts";
import type { RuleColumn, Vocabulary } from "../rule/vocabulary.ts";
import { groupsOf } from "./ColumnSelect.tsx";

interface Offer {
  label: string;
  about: string;
  make: () => Node;
}

const CONTAINERS: { kind: Kind; label: string; about: string }[] = [
  { kind: "all", label: "All of these hold", about: "a container: every rule in it has to hold" },
  { kind: "any", label: "One of these holds", about: "a container: one rule in it has to hold at least" },
  { kind: "none", label: "None of these holds", about: "a container: no rule in it may hold" },
  { kind: "steps", label: "Steps", about: "take in and take out, one after the other" },
];

/** What may stand in a place, by headings. */
function offersOf(scope: Scope, names: Vocabulary): { heading: string; offers: Offer[] }[] {
  const ofColumn = (column: RuleColumn): Offer => ({
    label: column.name,
    about: column.about,
    make: () => fresh("column", names, column),
  });
  const inner = scope.of === "customer" ? CONTAINERS : CONTAINERS.filter((container) => container.kind !== "steps");
  const containers = inner.map(({ kind, label, about }): Offer => ({ label, about, make: () => fresh(kind, names) }));
  const plain = (column: string): Node => ({ id: newId(), kind: "column", column, key: null, test: firstTest("text") });
  if (scope.of === "events") {
    const dimensions = names.sources.find((source) => source.name === scope.source)?.dimensions ?? [];
    const offers = dimensions.map((name): Offer => ({
      label: name,
      about: "a dimension of the events",
      make: () => plain(name),
    }));
    return [
      { heading: "Dimensions", offers },
      { heading: "Containers", offers: containers },
    ];
  }
  if (scope.of === "rows") {
    const columns = names.relations.find((relation) => relation.name === scope.table)?.columns ?? [];
    return [
      { heading: "Columns", offers: columns.map(ofColumn) },
      { heading: "Containers", offers: containers },
    ];
  }
  const kind = (of: Kind, label: string, about: string): Offer => ({ label, about, make: () => fresh(of, names) });
  const more = [
    kind("events", "Events", "how many there were, or what they add up to, in a window of days"),
    kind("sequence", "Sequence of events", "events that came one after the other"),
    kind("relation", "Rows of another table", "how many there are, or what they add up to"),
    kind("audience", "Another audience", "who is in it, with its consent and suppression"),
    kind("moved", "Decile that moved", "a tile that was another one in the snapshot before"),
  ];
  const columns = groupsOf(names.columns.filter((column) => column.name !== "customer"));
  return [
    { heading: "What customers did, and where they are", offers: more },
    ...columns.map((group) => ({ heading: group.label, offers: group.columns.map(ofColumn) })),
    { heading: "Containers", offers: containers },
    { heading: "The key", offers: names.columns.filter((column) => column.name === "customer").map(ofColumn) },
  ];
}

interface Props {
  scope: Scope;
  names: Vocabulary;
  onAdd: (node: Node) => void;
  onClose: () => void;
}

export function AddDialog({ scope, names, onAdd, onClose }: Props) {
  const [search, setSearch] = useState("");
  const field = useRef<HTMLDivElement>(null);
  useEffect(() => field.current?.querySelector("input")?.focus(), []);
  const words = search.trim().toLowerCase().split(/\s+/);
  const fits = (offer: Offer) => words.every((word) => `${offer.label} ${offer.about}`.toLowerCase().includes(word));
  const groups = offersOf(scope, names)
    .map((group) => ({ ...group, offers: group.offers.filter(fits) }))
    .filter((group) => group.offers.length > 0);
  return (
    <Dialog title="Add a rule" wide onClose={onClose}>
      <div ref={field}>
        <TextField label="Find" type="search" value={search} onValue={setSearch} autocomplete="off" />
      </div>
      <div class="offers">
        {groups.map((group) => (
          <section key={group.heading}>
            <h3>{group.heading}</h3>
            <ul>
              {group.offers.map((offer) => (
                <li key={offer.label}>
                  <button type="button" title={offer.about} onClick={() => onAdd(offer.make())}>
                    <strong>{offer.label}</strong> <span class="quiet">{offer.about}</span>
                  </button>
                </li>
              ))}
            </ul>
          </section>
        ))}
        {groups.length === 0 && <p class="quiet">Nothing has such a name.</p>}
      </div>
    </Dialog>
  );
}
