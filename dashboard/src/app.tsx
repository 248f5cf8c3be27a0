// The frame around every page: the way to the pages, the snapshot, the theme, the token.
import type { ComponentType } from "preact";
import { useEffect, useErrorBoundary, useRef, useState } from "preact/hooks";
import { askForToken, asApiError, type ApiError, token } from "./api/api.ts";
import { href, place, within } from "./location.ts";
import { findRoute, HOME, type PageProps, type Route, ROUTES } from "./routes.ts";
import { Button } from "./ui/Button.tsx";
import { SnapshotPicker } from "./ui/SnapshotPicker.tsx";
import { Empty, Failed, Loading } from "./ui/States.tsx";
import { themeChoice, type ThemeChoice } from "./ui/theme.ts";
import { Toasts } from "./ui/Toast.tsx";
import { TokenDialog } from "./ui/TokenDialog.tsx";

export function App() {
  const path = place.value.path === "/" ? HOME : place.value.path;
  const found = findRoute(path);
  const shown = useRef(path);
  useEffect(() => {
    // A page that replaces another begins at its top, and is where the keyboard goes on.
    if (shown.current === path) return;
    shown.current = path;
    scrollTo(0, 0);
    document.getElementById("content")?.focus({ preventScroll: true });
  }, [path]);
  return (
    <>
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("content")?.focus();
        }}
      >
        To the content
      </a>
      <header class="top">
        <a class="brand" href={href("/")}>
          Tenfold
        </a>
        <nav aria-label="Pages">
          {ROUTES.filter((route) => route.nav !== undefined).map((route) => (
            <a key={route.path} href={href(route.path)} {...(within(found?.route.under ?? path, route.path) ? { "aria-current": "page" as const } : {})}>
              {route.nav}
            </a>
          ))}
        </nav>
        <div class="top-right">
          <SnapshotPicker />
          <ThemePicker />
          <Button kind="quiet" onClick={() => void askForToken(null)}>
            {token.value === null ? "Token" : "Token ✓"}
          </Button>
        </div>
      </header>
      <main id="content" tabIndex={-1} data-place={place.value.hash}>
        {found ? (
          <Page key={found.route.path} route={found.route} parts={found.parts} />
        ) : (
          <Empty title="There is no such page">
            <p>
              <a href={href("/")}>To the first page</a>
            </p>
          </Empty>
        )}
      </main>
      <Toasts />
      <TokenDialog />
    </>
  );
}

function ThemePicker() {
  return (
    <label class="theme-picker">
      <span class="unseen">Theme</span>
      <select value={themeChoice.value} onChange={(event) => (themeChoice.value = event.currentTarget.value as ThemeChoice)}>
        <option value="system">System theme</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}

/** Loads the code of a page and shows it. */
function Page({ route, parts }: { route: Route; parts: Record<string, string> }) {
  const [component, setComponent] = useState<{ Page: ComponentType<PageProps> } | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);
  // A page that breaks takes nothing with it: the way to the others stays.
  const [broken, mend] = useErrorBoundary((thrown) => console.error(thrown));
  useEffect(() => {
    document.title = `${route.title} · Tenfold`;
    let wanted = true;
    setError(null);
    route.load().then(
      (module) => wanted && setComponent({ Page: module.default }),
      (thrown: unknown) => wanted && setError(asApiError(thrown)),
    );
    return () => {
      wanted = false;
    };
  }, [turn]);
  if (broken) return <Failed error={asApiError(broken)} onRetry={mend} />;
  if (error) return <Failed error={error} onRetry={() => setTurn(turn + 1)} />;
  if (!component) return <Loading what="The page is loading" lines={6} />;
  return <component.Page parts={parts} />;
}
