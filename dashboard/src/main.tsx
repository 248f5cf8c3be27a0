// Where the page begins.
import { render } from "preact";
import { App } from "./app.tsx";
import { followLocation } from "./location.ts";
import "./ui/theme.css";
import { followTheme } from "./ui/theme.ts";

followTheme();
followLocation();
render(<App />, document.getElementById("app") as HTMLElement);
