// All dashboards there are: those that come with Tenfold and those of the project, found by their words.
import { useState } from "preact/hooks";
import { type DashboardSummary, listDashboards } from "../../api/dashboards.ts";
import { useLoad } from "../../api/load.ts";
import { href } from "../../location.ts";
import { LinkButton } from "../../ui/Button.tsx";
import { TextField } from "../../ui/Field.tsx";
import { counted } from "../../ui/format.ts";
import { Empty, Partial, Shown } from "../../ui/States.tsx";
import "./boards.css";

export default function BoardsPage() {
  const list = useLoad(listDashboards, []);
  const [words, setWords] = useState("");
  return (
    <>
      <div class="page-head">
        <h1>Dashboards</h1>
        <div class="actions row">
          <LinkButton href={href("/compose/new")}>New dashboard</LinkButton>
        </div>
      </div>
      <Shown of={list} what="The dashboards are loading" lines={8}>
        {({ dashboards }) => {
          const found = dashboards.filter((one) => matches(one, words));
          return (
            <>
              <div class="board-search">
                <TextField label="Search" type="search" value={words} onValue={setWords} placeholder="Title, name or description" />
                <span class="quiet" aria-live="polite">
                  {words === "" ? counted(dashboards.length, "dashboard") : `${found.length} of ${counted(dashboards.length, "dashboard")}`}
                </span>
              </div>
              <Group title="Of this project" boards={found.filter((one) => one.origin === "project")} />
              <Group title="With Tenfold" boards={found.filter((one) => one.origin === "tenfold")} />
              {found.length === 0 && <Empty title={words === "" ? "There are no dashboards" : "No dashboard has these words"} />}
            </>
          );
        }}
      </Shown>
    </>
  );
}

function matches(board: DashboardSummary, words: string): boolean {
  const text = `${board.name} ${board.title} ${board.description ?? ""}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function Group({ title, boards }: { title: string; boards: DashboardSummary[] }) {
  if (boards.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul class="board-list">
        {boards.map((board) => (
          <li key={board.name} class="card">
            <h3>
              <a href={href(`/boards/${encodeURIComponent(board.name)}`, board.published === false ? { draft: "true" } : {})}>{board.title}</a>
            </h3>
            {board.description && <p>{board.description}</p>}
            {board.problem && <Partial>Its file has an error: {board.problem}</Partial>}
            <p class="row quiet">
              <code>{board.name}</code>
              {board.draft && (
                <a class="badge warn" href={href(`/boards/${encodeURIComponent(board.name)}`, { draft: "true" })}>
                  {board.published === false ? "a draft alone" : "has a draft"}
                </a>
              )}
              <a href={href(`/compose/${encodeURIComponent(board.name)}`)}>{board.origin === "tenfold" ? "Make a copy" : "Edit"}</a>
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}
