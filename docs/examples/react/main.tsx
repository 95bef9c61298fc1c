import { useState } from "react";
import { createRoot } from "react-dom/client";

import { SignUp } from "./SignUp";

/** Address of the service. */
const SERVICE = "http://127.0.0.1:8080";

function App() {
  const [welcome, setWelcome] = useState("");
  return (
    <>
      <p role="status">{welcome}</p>
      {!welcome && (
        <SignUp
          service={SERVICE}
          onDone={(done) =>
            setWelcome(
              done.status === "created"
                ? `Your account was created, ${done.user.name}.`
                : "Thank you. Check your inbox for what to do next.",
            )
          }
        />
      )}
    </>
  );
}

createRoot(document.getElementById("app")!).render(<App />);
