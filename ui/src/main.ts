// The page begins.
import { mount } from "svelte";
import "./app.css";
import App from "./App.svelte";
import { router } from "./router/router.svelte";
import { settings } from "./shell/settings.svelte";

settings.start();
router.start();
const target = document.getElementById("app");
if (target) mount(App, { target });
