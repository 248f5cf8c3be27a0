// What stands in the place of content: it is loading, there is none, it failed, or a part of it is missing.
import type { ComponentChildren } from "preact";
import { type ApiError, askForToken } from "../api/api.ts";
import type { Loaded } from "../api/load.ts";
import { Button } from "./Button.tsx";
import { ErrorCode } from "./ErrorCode.tsx";
import { Words } from "./Words.tsx";

export function Loading({ what = "Loading", lines = 3 }: { what?: string; lines?: number }) {
  return (
    <div class="loading" role="status">
      <span class="unseen">{what}</span>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} class="bone" aria-hidden="true" />
      ))}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

export function Failed({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return (
    <div class="failed-box" role="alert">
      <p>
        <strong>{error.title || "It failed"}</strong>
        {error.code && (
          <>
            {" "}
            <ErrorCode code={error.code} />
          </>
        )}
      </p>
      {error.detail && (
        <p class="detail">
          <Words text={error.detail} />
        </p>
      )}
      {error.remedy && (
        <p>
          <span class="quiet">What to do: </span>
          <Words text={error.remedy} />
        </p>
      )}
      <div class="row">
        {onRetry && <Button onClick={onRetry}>Try again</Button>}
        {(error.status === 401 || error.status === 403) && (
          <Button onClick={() => void askForToken(error).then((given) => given && onRetry?.())}>Use another token</Button>
        )}
      </div>
    </div>
  );
}

/** Some of it is there, and why the rest is not. */
export function Partial({ children }: { children: ComponentChildren }) {
  return (
    <div class="partial" role="note">
      {children}
    </div>
  );
}

interface ShownProps<T> {
  of: Loaded<T>;
  what?: string;
  lines?: number;
  children: (data: T) => ComponentChildren;
}

/** What was loaded; before that, that it loads; and what failed, above what there was before. */
export function Shown<T>({ of, what, lines, children }: ShownProps<T>) {
  return (
    <>
      {of.error && <Failed error={of.error} onRetry={of.reload} />}
      {of.data !== null ? (
        <div class={of.loading ? "shown stale" : "shown"} aria-busy={of.loading}>
          {children(of.data)}
        </div>
      ) : (
        of.loading && <Loading {...(what ? { what } : {})} {...(lines ? { lines } : {})} />
      )}
    </>
  );
}
