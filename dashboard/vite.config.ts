// How the front end is built: everything into dist/, under names that follow from the content, so that two builds
// of the same sources are the same files. While developing, /v1 goes to a server (TENFOLD_SERVER); a preview has the
// policy that the server itself sends with the built page (serve/src/pages.rs).
import { defineConfig } from "vitest/config";

const server = process.env.TENFOLD_SERVER ?? "http://127.0.0.1:7401";
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; " +
  "font-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
const proxy = { "/v1": { target: server, changeOrigin: true, headers: { origin: server } } };

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      output: {
        entryFileNames: "assets/[name]-[hash].js",
        chunkFileNames: "assets/[name]-[hash].js",
        assetFileNames: "assets/[name]-[hash][extname]",
        // Few files compress better than many: pages that belong together come together.
        codeSplitting: {
          groups: [
            { name: "engine", test: /node_modules\/(echarts|zrender|tslib)\// },
            { name: "index", test: /node_modules\/|src\/(api|ui)\// },
            { name: "operations", test: /src\/pages\/operations\// },
            { name: "people", test: /src\/pages\/(audiences|customer|campaigns|deliveries)\// },
            { name: "dashboards", test: /src\/(pages\/(boards|compose)|spec|chart)\/(?!engine)/ },
          ],
        },
      },
    },
  },
  server: { proxy },
  preview: { proxy, headers: { "content-security-policy": policy } },
  test: { include: ["src/**/*.test.ts"], environment: "node", testTimeout: 60_000 },
});
