// The document that is being edited: its changes, undo, what is saved where, and what of the server it came from.
// One of these lives as long as the composer shows a dashboard.

import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { asApiError } from "../../api/api.ts";
import { deleteDashboard, getDashboard, type SavedDashboard, putDashboard } from "../../api/dashboards.ts";
import { checkDocument, type Finding, NAME } from "../../spec/check.ts";
import type { DashboardDocument, Widget } from "../../spec/types.ts";
import { freeName } from "./columns.ts";
import { begun, changed, type History, redone, settled, undone } from "../../history.ts";
import { closedUp, freePlace, placed } from "./layout.ts";
import { forgetLocal, keepLocal, type LocalDraft } from "./local.ts";

/** Changes one widget; changes of one kind that follow each other are undone together. */
export type Change = (to: (widget: Widget) => Widget, kind?: string | null) => void;

export interface Origin {
  /** What is kept on the server under this name: the draft, else what everybody sees; null for a new one. */
  kept: SavedDashboard | null;
  /** Whether everybody sees a dashboard of this name. */
  published: boolean;
  writable: boolean;
}

export class Editor {
  readonly history: Signal<History<DashboardDocument>>;
  readonly document: ReadonlySignal<DashboardDocument>;
  readonly kept: Signal<SavedDashboard | null>;
  readonly published: Signal<boolean>;
  readonly findings: ReadonlySignal<Finding[]>;
  readonly dirty: ReadonlySignal<boolean>;
  /** Whether something would be lost by leaving: it is neither on the server nor in this browser. */
  readonly atRisk: ReadonlySignal<boolean>;
  /** What this browser keeps of this document, since the server did not take it. */
  readonly local: Signal<LocalDraft | null> = signal(null);
  readonly writable: Signal<boolean>;
  readonly busy = signal(false);
  /** What is on the server by now, where somebody else changed it. */
  readonly conflict: Signal<{ theirs: SavedDashboard | null; draft: boolean } | null> = signal(null);
  private readonly saved: Signal<DashboardDocument | null>;
  /** Hash of what the changes are made from; null where that is nothing. */
  private base: string | null;

  constructor(
    readonly name: string,
    document: DashboardDocument,
    origin: Origin,
  ) {
    this.history = signal(begun(document));
    this.document = computed(() => this.history.value.present);
    this.kept = signal(origin.kept);
    this.base = origin.kept?.hash ?? null;
    this.published = signal(origin.published);
    this.writable = signal(origin.writable);
    // A copy and a new dashboard are nowhere yet.
    this.saved = signal(origin.kept?.document === document ? document : null);
    this.findings = computed(() => checkDocument(this.document.value));
    this.dirty = computed(() => this.saved.value !== this.document.value);
    this.atRisk = computed(() => this.dirty.value && this.local.value?.document !== this.document.value);
  }

  /** Changes the document; changes of one `kind` that follow each other are undone together. */
  change(change: (document: DashboardDocument) => DashboardDocument, kind: string | null = null): void {
    this.history.value = changed(this.history.value, change(this.document.value), kind);
  }

  changeWidget(name: string, change: (widget: Widget) => Widget, kind: string | null = null): void {
    this.change(
      (document) => ({ ...document, widgets: document.widgets.map((widget) => (widget.name === name ? change(widget) : widget)) }),
      kind === null ? null : `${name}.${kind}`,
    );
  }

  widget(name: string): Widget | undefined {
    return this.document.value.widgets.find((widget) => widget.name === name);
  }

  /** Adds a widget where there is room; its name is made free. */
  add(widget: Widget): string {
    const name = freeName(widget.name, this.document.value.widgets.map((one) => one.name));
    this.change((document) => {
      const at = freePlace(document.widgets, widget.at.w, widget.at.h);
      return { ...document, widgets: [...document.widgets, { ...widget, name, at }] };
    });
    return name;
  }

  duplicate(name: string): string | null {
    const widget = this.widget(name);
    return widget ? this.add({ ...widget, title: `${widget.title} (copy)` }) : null;
  }

  /** Gives a widget another name, if nothing else has it. */
  rename(name: string, next: string): boolean {
    if (!NAME.test(next) || this.widget(next)) return false;
    this.changeWidget(name, (widget) => ({ ...widget, name: next }));
    return true;
  }

  remove(name: string): void {
    this.change((document) => ({ ...document, widgets: document.widgets.filter((widget) => widget.name !== name) }));
  }

  move(name: string, at: Widget["at"], kind: string | null = null): void {
    this.change((document) => ({ ...document, widgets: placed(document.widgets, name, at) }), kind);
  }

  closeGaps(): void {
    this.change((document) => ({ ...document, widgets: closedUp(document.widgets) }));
  }

  undo(): void {
    this.history.value = undone(this.history.value);
  }

  redo(): void {
    this.history.value = redone(this.history.value);
  }

  settle(): void {
    this.history.value = settled(this.history.value);
  }

  /** Goes on with what this browser keeps; undo leads back to what is on the server. */
  resume(draft: LocalDraft): void {
    this.local.value = draft;
    this.base = draft.base;
    this.history.value = changed(this.history.value, draft.document);
  }

  /**
   * Keeps the document, as a draft or for everybody. Whether it was kept; a conflict is in `conflict`. What the server
   * does not take is kept in this browser, if that can be, and the reason is thrown.
   */
  async save(draft: boolean): Promise<boolean> {
    return this.put(draft, this.base);
  }

  /** Keeps this document in the place of what somebody else wrote meanwhile. */
  async saveOver(): Promise<boolean> {
    const conflict = this.conflict.value;
    if (!conflict) return false;
    this.conflict.value = null;
    return this.put(conflict.draft, conflict.theirs?.hash ?? null);
  }

  /** Goes on with what somebody else wrote; undo brings this document back. */
  takeTheirs(): void {
    const theirs = this.conflict.value?.theirs;
    this.conflict.value = null;
    if (theirs) this.take(theirs);
  }

  /** Deletes the draft and goes back to what everybody sees. Null where nothing is left. */
  async discardDraft(): Promise<SavedDashboard | null> {
    const kept = this.kept.value;
    if (!kept?.draft) return kept;
    return this.busily(async () => {
      await deleteDashboard(this.name, true, kept.hash);
      this.forget();
      if (!this.published.value) {
        this.kept.value = null;
        this.base = null;
        return null;
      }
      const left = await getDashboard(this.name, false);
      this.take(left);
      return left;
    });
  }

  private take(kept: SavedDashboard): void {
    this.kept.value = kept;
    this.base = kept.hash;
    this.saved.value = kept.document;
    this.history.value = changed(this.history.value, kept.document);
  }

  private async put(draft: boolean, base: string | null): Promise<boolean> {
    const document = this.document.value;
    return this.busily(async () => {
      try {
        this.kept.value = await putDashboard(this.name, { document, draft, base });
      } catch (thrown) {
        const error = asApiError(thrown);
        if (error.status !== 409) {
          const local = { document, base, at: new Date().toISOString() };
          if (keepLocal(this.name, local)) this.local.value = local;
          throw error;
        }
        this.conflict.value = { theirs: await this.onServer(), draft };
        return false;
      }
      this.base = this.kept.value.hash;
      this.saved.value = document;
      this.forget();
      if (!draft) this.published.value = true;
      return true;
    });
  }

  /** Drops what this browser keeps, where it is known here: what another tab kept meanwhile is left alone. */
  private forget(): void {
    if (this.local.value !== null) forgetLocal(this.name);
    this.local.value = null;
  }

  /** What the server has under this name by now, or null where that is gone. */
  private async onServer(): Promise<SavedDashboard | null> {
    try {
      return await getDashboard(this.name, true);
    } catch (thrown) {
      if (asApiError(thrown).status === 404) return null;
      throw thrown;
    }
  }

  private async busily<T>(work: () => Promise<T>): Promise<T> {
    this.busy.value = true;
    try {
      return await work();
    } finally {
      this.busy.value = false;
    }
  }
}
