// GET /guestbook: a page around the form.
// Never imports limits: a page has none.
import { Form } from './form.jsx'

export const dynamic = 'force-dynamic'

export default function Page() {
  return <Form />
}
