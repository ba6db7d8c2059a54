// The client: hears the live stream, fetches what changed, puts it in without losing what somebody types.
// Everything works without it, by plain forms and links. The server joins the modules into this one file.
import { start as list } from './list.js'
import { start as convo } from './convo.js'
import { start as composer } from './composer.js'
import { start as board } from './board.js'
import { start as screens } from './screens.js'
import { start as nav } from './nav.js'
import { start as stream } from './stream.js'
import { start as keys } from './keys.js'
import { start as palette } from './palette.js'

for (const begin of [list, convo, composer, board, screens, keys, palette, nav, stream]) begin()
