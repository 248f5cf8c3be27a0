// What all parts of the builder's canvas know and can do.

import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Finding } from "../rule/check.ts";
import type { Node } from "../rule/model.ts";
import type { Vocabulary } from "../rule/vocabulary.ts";

export interface Canvas {
  names: Vocabulary;
  root: Node;
  findings: Finding[];
  /** Nodes that a message of the server names. */
  blamed: string[];
  /** Changes one node. Changes with the same `about` are undone as one. */
  update: (id: string, change: (node: Node) => Node, about?: string) => void;
  /** Puts another tree in the place of this one; the grip of `focus` has the focus then. */
  replace: (root: Node, said: string, focus?: string) => void;
  /** Asks for a new rule, for the place `index` of a container. */
  add: (parent: string, index: number) => void;
}

const Context = createContext<Canvas | null>(null);

export const CanvasProvider = Context.Provider;

export function useCanvas(): Canvas {
  const canvas = useContext(Context);
  if (canvas === null) throw new Error("a rule stands outside of the canvas");
  return canvas;
}

/** The id in the page of the grip of a node. */
export function gripId(node: string): string {
  return `grip-${node}`;
}
