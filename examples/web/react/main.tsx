import type { User } from "@auth0/auth0-spa-js";
import { SignupForm } from "auth0-signup/react";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

import { currentUser, logIn } from "../shared/auth";
import { SERVICE } from "../shared/settings";

import "auth0-signup/signup.css";

function App() {
  const [user, setUser] = useState<User>();
  useEffect(() => void currentUser().then(setUser), []);
  if (user) return <h1>Hello, {user.name}</h1>;
  return (
    <SignupForm url={SERVICE} onDone={({ email }) => void logIn(email)}>
      <h1>Join Acme</h1>
    </SignupForm>
  );
}

createRoot(document.getElementById("app")!).render(<App />);
