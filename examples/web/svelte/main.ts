import { mount } from "svelte";

import App from "./App.svelte";

import "auth0-signup/signup.css";

mount(App, { target: document.getElementById("app")! });
