// What a value has to be: the operator, and the values that it takes.

import { SelectField, TextField, type Choice } from "../../../ui/Field.tsx";
import { operatorOf, withOperator } from "../rule/fresh.ts";
import type { Test } from "../rule/model.ts";
import type { Kinds } from "../rule/vocabulary.ts";
import { operatorSaid } from "../rule/words.ts";
import { SeveralField, ValueField } from "./ValueFields.tsx";
import { WindowFields } from "./WindowFields.tsx";

const ORDER = ["<", "<=", ">", ">=", "between"];
const SETS = ["in", "not_in"];
const THERE = ["exists", "is_null"];
const LISTS = ["in list", "not_in list"];
const EQUAL = ["=", "!="];
const PARTS = ["contains", "starts_with", "ends_with"];

/** The operators that columns of a kind take; all where the kind is not known. */
export function operatorsOf(kind: Kinds | null, namesPeople: boolean): string[] {
  if (namesPeople) return [...LISTS, ...(kind === "text" ? ["ends_with"] : []), ...THERE];
  switch (kind) {
    case "bool":
      return [...EQUAL, ...THERE];
    case "date":
      return ["within", ...EQUAL, ...ORDER, ...SETS, ...THERE];
    case "number":
      return [...EQUAL, ...ORDER, ...SETS, ...THERE];
    case "whole":
    case "tiles":
      return [...EQUAL, ...ORDER, ...SETS, ...THERE, ...LISTS];
    case "text":
      return [...SETS, ...EQUAL, ...PARTS, ...THERE, ...LISTS];
    case null:
      return [...EQUAL, ...ORDER, ...SETS, ...PARTS, "within", ...THERE];
  }
}

/** What numbers that something adds up to are compared by. */
export const OF_NUMBERS = [...EQUAL, ...ORDER];

function said(operator: string): string {
  const special: Record<string, string> = {
    within: "lies within",
    "in list": "is in the list",
    "not_in list": "is not in the list",
  };
  return special[operator] ?? operatorSaid(operator);
}

interface Props {
  label: string;
  test: Test;
  kind: Kinds | null;
  operators: string[];
  known?: string[];
  lists?: string[];
  onTest: (test: Test) => void;
}

export function TestFields({ label, test, kind, operators, known = [], lists = [], onTest }: Props) {
  const operator = operatorOf(test);
  const offered = operators.includes(operator) ? operators : [operator, ...operators];
  const choices: Choice[] = offered.map((one) => ({ value: one, label: said(one) }));
  return (
    <>
      <SelectField
        label={`How ${label} is compared`}
        labelUnseen
        value={operator}
        choices={choices}
        onValue={(one) => onTest(withOperator(test, one))}
      />
      {test.kind === "value" && (
        <ValueField
          label={`Value, ${label}`}
          kind={kind}
          value={test.value}
          known={known}
          onValue={(value) => onTest({ ...test, value })}
        />
      )}
      {test.kind === "values" && test.op === "between" && (
        <>
          <ValueField
            label={`Least value, ${label}`}
            kind={kind}
            value={test.values[0] ?? ""}
            known={[]}
            onValue={(value) => onTest({ ...test, values: [value, test.values[1] ?? ""] })}
          />
          <span aria-hidden="true">and</span>
          <ValueField
            label={`Greatest value, ${label}`}
            kind={kind}
            value={test.values[1] ?? ""}
            known={[]}
            onValue={(value) => onTest({ ...test, values: [test.values[0] ?? "", value] })}
          />
        </>
      )}
      {test.kind === "values" && test.op !== "between" && (
        <SeveralField
          label={label}
          kind={kind}
          values={test.values}
          known={known}
          onValues={(values) => onTest({ ...test, values })}
        />
      )}
      {test.kind === "list" && (
        <ListField list={test.list} lists={lists} onList={(list) => onTest({ ...test, list })} />
      )}
      {test.kind === "window" && (
        <WindowFields
          label={`Days, ${label}`}
          window={test.window}
          onWindow={(window) => window !== null && onTest({ kind: "window", window })}
        />
      )}
    </>
  );
}

function ListField({ list, lists, onList }: { list: string; lists: string[]; onList: (list: string) => void }) {
  if (lists.length === 0) {
    return (
      <TextField
        label="File of the folder lists"
        labelUnseen
        placeholder="lists/names.txt"
        value={list}
        onValue={onList}
      />
    );
  }
  const named = lists.includes(list) || list === "" ? lists : [list, ...lists];
  const choices = [{ value: "", label: "choose a list" }, ...named.map((one) => ({ value: one, label: one }))];
  return <SelectField label="File of the folder lists" labelUnseen value={list} choices={choices} onValue={onList} />;
}
