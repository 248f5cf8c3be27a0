// A labelled field: the label, the control, a hint, and what is wrong with it, tied together for screen readers.
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface Ids {
  id: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
}

interface Props {
  label: ComponentChildren;
  hint?: ComponentChildren;
  error?: string | null;
  /** The label is read out and not shown. */
  labelUnseen?: boolean;
  /** The control; it takes these attributes. */
  children: (ids: Ids) => ComponentChildren;
}

export function Field({ label, hint, error, labelUnseen = false, children }: Props) {
  const id = useId();
  const told = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter((part) => part !== "").join(" ");
  return (
    <div class="field">
      <label for={id} class={labelUnseen ? "unseen" : ""}>
        {label}
      </label>
      {children({ id, ...(told ? { "aria-describedby": told } : {}), ...(error ? { "aria-invalid": true } : {}) })}
      {hint && (
        <div class="hint" id={`${id}-hint`}>
          {hint}
        </div>
      )}
      {error && (
        <div class="field-error" id={`${id}-error`}>
          {error}
        </div>
      )}
    </div>
  );
}

interface TextProps extends Omit<Props, "children"> {
  value: string;
  onValue: (value: string) => void;
  type?: "text" | "password" | "number" | "date" | "search";
  class?: string;
  inputMode?: "numeric" | "decimal";
  placeholder?: string;
  min?: string | number;
  max?: string | number;
  step?: string | number;
  autocomplete?: string;
  spellcheck?: boolean;
  readOnly?: boolean;
  disabled?: boolean;
  /** The `id` of a list of suggestions. */
  list?: string;
  onBlur?: () => void;
  onKeyDown?: (event: KeyboardEvent) => void;
}

export function TextField({ label, hint, error, labelUnseen, value, onValue, type = "text", ...rest }: TextProps) {
  // The kind is one of several, while the types of JSX describe each alone.
  const control = { ...rest, type } as JSX.IntrinsicElements["input"];
  return (
    <Field label={label} hint={hint} {...(error ? { error } : {})} {...(labelUnseen ? { labelUnseen } : {})}>
      {(ids) => <input {...control} {...ids} value={value} onInput={(event) => onValue(event.currentTarget.value)} />}
    </Field>
  );
}

export interface Choice {
  value: string;
  label: string;
}

interface SelectProps extends Omit<Props, "children"> {
  value: string;
  choices: Choice[];
  onValue: (value: string) => void;
  disabled?: boolean;
}

export function SelectField({ label, hint, error, labelUnseen, value, choices, onValue, disabled }: SelectProps) {
  return (
    <Field label={label} hint={hint} {...(error ? { error } : {})} {...(labelUnseen ? { labelUnseen } : {})}>
      {(ids) => (
        <select {...ids} value={value} disabled={disabled === true} onChange={(event) => onValue(event.currentTarget.value)}>
          {choices.map((choice) => (
            <option key={choice.value} value={choice.value}>
              {choice.label}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, checked, onValue }: { label: ComponentChildren; checked: boolean; onValue: (on: boolean) => void }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} onChange={(event) => onValue(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}
