// Charts and answers as files.
import type { Cell } from "../api/types.ts";
import type { Result } from "./shape.ts";

/** Hands a file to the browser. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** A name that can be one of a file. */
export function fileName(title: string, ending: string): string {
  const plain = title.normalize("NFKD").replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "").toLowerCase();
  return `${plain || "chart"}.${ending}`;
}

/** An answer as CSV, as RFC 4180 has it. */
export function csvOf(result: Result): string {
  const field = (cell: Cell | undefined): string => {
    if (cell === null || cell === undefined) return "";
    const text = typeof cell === "object" ? JSON.stringify(cell) : String(cell);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [
    result.columns.map((column) => field(column.name)),
    ...result.rows.map((row) => result.columns.map((column) => field(row[column.name]))),
  ];
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}

/** A drawing on a ground: it has none of its own, since the page lies behind it, and a file has no page. */
export function grounded(svg: string, ground: string): string {
  return svg.replace(/^<svg[^>]*>/, (head) => `${head}<rect width="100%" height="100%" fill="${ground}"/>`);
}

/** A picture of a drawing at twice its size. */
export async function pngOf(svg: string, width: number, height: number): Promise<Blob> {
  const image = new Image();
  const address = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error("the browser cannot read the drawing"));
      image.src = address;
    });
    const canvas = document.createElement("canvas");
    canvas.width = width * 2;
    canvas.height = height * 2;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!picture) throw new Error("the browser cannot make a picture of this size");
    return picture;
  } finally {
    URL.revokeObjectURL(address);
  }
}
