// A button, and a link that looks like one.
import type { ComponentChildren, JSX, Ref } from "preact";

type Kind = "plain" | "primary" | "danger" | "quiet";

interface Props extends Omit<JSX.IntrinsicElements["button"], "ref" | "kind"> {
  kind?: Kind;
  /** Why it cannot be pressed. It stays reachable, so that the reason can be read. */
  disabledBecause?: string | null;
  buttonRef?: Ref<HTMLButtonElement>;
  children: ComponentChildren;
}

export function Button({ kind = "plain", disabledBecause, buttonRef, onClick, children, ...rest }: Props) {
  const off = typeof disabledBecause === "string" && disabledBecause !== "";
  return (
    <button
      type="button"
      {...rest}
      {...(buttonRef ? { ref: buttonRef } : {})}
      class={`button ${kind} ${(rest.class as string | undefined) ?? ""}`}
      {...(off ? { "aria-disabled": true, title: disabledBecause } : {})}
      {...(off ? { onClick: undefined } : onClick ? { onClick } : {})}
    >
      {children}
      {off && <span class="unseen"> ({disabledBecause})</span>}
    </button>
  );
}

export function LinkButton({ href, children }: { href: string; children: ComponentChildren }) {
  return (
    <a class="button plain" href={href}>
      {children}
    </a>
  );
}
