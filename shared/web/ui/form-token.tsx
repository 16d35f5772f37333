/** The hidden field that proves that a form is one of this session's. */
/** @jsxRuntime automatic @jsxImportSource hono/jsx */
import { useViewer } from "./context.ts";

export function FormToken() {
  const { formToken } = useViewer();
  return formToken === null ? null : <input type="hidden" name="form_token" value={formToken} />;
}
