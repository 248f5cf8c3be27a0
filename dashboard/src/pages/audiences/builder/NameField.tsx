// A name that is picked of those that there are; typed where none are known.

import { SelectField, TextField } from "../../../ui/Field.tsx";

interface Props {
  label: string;
  value: string;
  names: string[];
  /** What is said while nothing is picked. */
  none: string;
  onValue: (value: string) => void;
}

export function NameField({ label, value, names, none, onValue }: Props) {
  if (names.length === 0) {
    return (
      <TextField
        label={label}
        labelUnseen
        class="name"
        autocomplete="off"
        placeholder={none}
        value={value}
        onValue={(text) => onValue(text.trim())}
      />
    );
  }
  const isKnown = value === "" || names.includes(value);
  const choices = [
    ...(value === "" ? [{ value: "", label: none }] : isKnown ? [] : [{ value, label: value }]),
    ...names.map((name) => ({ value: name, label: name })),
  ];
  return <SelectField label={label} labelUnseen value={value} choices={choices} onValue={onValue} />;
}
