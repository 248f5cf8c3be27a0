// The whole of an audience as its file has it: the rule, and who of those it chooses is left out or held back.

import { digitsOf, type Node } from "../rule/model.ts";
import { WORDS } from "../rule/parse.ts";
import { text } from "../rule/text.ts";
import { written, read, type Fields, type Value } from "../rule/written.ts";
import { yaml } from "../rule/yaml.ts";

export type Suppressed = { audience: string } | { list: string };

export interface Draft {
  description: string;
  rule: Node;
  /** The attribute that has to be true; empty for none. */
  consent: string;
  suppress: Suppressed[];
  /** A share, as it is typed; empty for nobody. */
  fraction: string;
  stratifyBy: string;
  seed: string;
  /** As it is typed; empty for the usual one. */
  priority: string;
  /** Whether its members are also found between refreshes. */
  live: boolean;
}

const PRIORITY = "100";

export function blank(rule: Node): Draft {
  return {
    description: "",
    rule,
    consent: "",
    suppress: [],
    fraction: "",
    stratifyBy: "",
    seed: "",
    priority: "",
    live: false,
  };
}

/** The fields of the file. */
export function fieldsOf(draft: Draft): Fields {
  const holdout: Fields | null =
    draft.fraction.trim() === ""
      ? null
      : {
          fraction: digitsOf(draft.fraction) ?? draft.fraction,
          stratify_by: draft.stratifyBy === "" ? null : draft.stratifyBy,
          seed: draft.seed === "" ? null : draft.seed,
        };
  return {
    description: draft.description.trim() === "" ? null : draft.description.trim(),
    rule: written(draft.rule),
    consent: draft.consent === "" ? null : { attribute: draft.consent },
    suppress: draft.suppress.length === 0 ? null : draft.suppress,
    holdout:
      holdout === null ? null : Object.fromEntries(Object.entries(holdout).filter(([, value]) => value !== null)),
    priority:
      draft.priority.trim() === "" || draft.priority.trim() === PRIORITY
        ? null
        : (digitsOf(draft.priority) ?? draft.priority),
    live: draft.live ? true : null,
  };
}

/** The file. */
export function fileOf(draft: Draft): string {
  return yaml(fieldsOf(draft));
}

/** What a file says; throws Unreadable where its rule cannot be shown. */
export function draftOf(fields: Fields): Draft {
  const string = (value: Value | undefined) => {
    if (value === null || value === undefined) return "";
    return typeof value === "object" && "digits" in value ? String(value.digits) : String(value);
  };
  const inner = (name: string): Fields => {
    const value = fields[name];
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
  };
  const suppress = Array.isArray(fields.suppress) ? (fields.suppress as unknown as Suppressed[]) : [];
  return {
    description: string(fields.description),
    rule: read(fields.rule ?? null),
    consent: string(inner("consent").attribute),
    suppress,
    fraction: string(inner("holdout").fraction),
    stratifyBy: string(inner("holdout").stratify_by),
    seed: string(inner("holdout").seed),
    priority: string(fields.priority),
    live: fields.live === true,
  };
}

/**
 * The text that is counted: the rule, and what the file asks of its members beside it. Lists are files of the project,
 * which a count over a snapshot cannot read: those who stand in them are counted all the same.
 */
export function countedText(draft: Draft): string {
  const further: string[] = [];
  if (draft.consent !== "") further.push(`dim_customer.${draft.consent} = true`);
  for (const one of draft.suppress)
    if ("audience" in one && one.audience !== "") further.push(`none(audience ${one.audience})`);
  const rule = text(draft.rule);
  return further.length === 0 ? rule : `all(${[rule, ...further].join(", ")})`;
}

/** What is wrong beside the rule, by the field that it is about. */
export function draftFindings(draft: Draft): Partial<Record<"fraction" | "priority" | "suppress", string>> {
  const found: ReturnType<typeof draftFindings> = {};
  if (draft.fraction.trim() !== "") {
    const digits = digitsOf(draft.fraction);
    const share = Number(digits?.digits);
    const places = digits?.digits.split(".")[1]?.length ?? 0;
    if (digits === null || !(share > 0 && share < 1) || places > 6)
      found.fraction = "give a share above 0 and below 1, such as 0.1";
  }
  const priority = draft.priority.trim();
  if (priority !== "" && !(/^\d{1,7}$/.test(priority) && Number(priority) <= 1_000_000))
    found.priority = "give a whole number up to 1000000";
  if (draft.suppress.some((one) => ("audience" in one ? one.audience : one.list) === ""))
    found.suppress = "name the audience or the list";
  return found;
}

/** Names of files of audiences. */
export function nameWrong(name: string, taken: string[]): string | null {
  if (name === "") return "give it a name";
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(name)) return "use lower-case letters, digits and _, and begin with a letter";
  if ((WORDS as readonly string[]).includes(name)) return "that is a word that rules are written with";
  return taken.includes(name) ? "there is an audience of this name" : null;
}
