// Asks for a token: why, what it may have to be able to do, and where it is kept.
import { useState } from "preact/hooks";
import { answerToken, asking, token } from "../api/api.ts";
import { Button } from "./Button.tsx";
import { Dialog } from "./Dialog.tsx";
import { TextField } from "./Field.tsx";

function reason(code: string | undefined): string {
  if (code === "E2402") return "Your token is known, but its role may not do this.";
  return token.value === null ? "This server answers only those who have a token." : "The server does not know this token.";
}

/** What a token cannot be: a header takes no other signs, and the server would seem not to answer. */
function wrongWith(text: string): string | null {
  if (text === "") return "no token is written";
  return /[^!-~]/.test(text) ? "a token has no blanks and no letters beyond a to z" : null;
}

export function TokenDialog() {
  const [text, setText] = useState("");
  const asked = asking.value;
  if (asked === null) return null;
  const end = (given: string | null) => {
    setText("");
    answerToken(given);
  };
  const because = asked.because;
  const wrong = wrongWith(text.trim());
  return (
    <Dialog
      title="Token"
      onClose={() => end(null)}
      actions={
        <>
          {token.value !== null && <Button onClick={() => end("")}>Forget the token</Button>}
          <Button onClick={() => end(null)}>Cancel</Button>
          <Button kind="primary" disabledBecause={wrong} onClick={() => end(text.trim())}>
            Use this token
          </Button>
        </>
      }
    >
      {because && (
        <>
          <p>{reason(because.code)}</p>
          <p class="quiet">
            {because.detail}
            {because.remedy && `: ${because.remedy}`}
          </p>
        </>
      )}
      <p>
        The role <code>viewer</code> suffices to look at everything, <code>operator</code> also starts and stops runs and writes dashboards,
        and <code>admin</code> also drains workers. An administrator makes a token with <code>tenfold token new</code>.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (wrong === null) end(text.trim());
        }}
      >
        <TextField
          label="Token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          value={text}
          error={text === "" ? null : wrong}
          onValue={setText}
          hint="Kept in this tab until it is closed, and sent to this server alone."
        />
      </form>
    </Dialog>
  );
}
