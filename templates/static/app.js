// The client: hears the live stream, fetches what changed, puts it in without losing what somebody types.
// Everything works without it, by plain forms and links. The server joins the modules into this one file.
import { start as list } from './list.js'
import { start as convo } from './convo.js'
import { start as timeline } from './timeline.js'
import { start as mail } from './mail.js'
import { start as pictures } from './pictures.js'
import { start as sound } from './sound.js'
import { start as composer } from './composer.js'
import { start as board } from './board.js'
import { start as screens } from './screens.js'
import { start as nav } from './nav.js'
import { start as mentions } from './mentions.js'
import { start as being } from './being.js'
import { start as late } from './late.js'
import { start as connection } from './connection.js'
import { start as notify } from './notify.js'
import { start as wishes } from './wishes.js'
import { start as drawers } from './drawers.js'
import { start as stream } from './stream.js'
import { start as keys } from './keys.js'
import { start as palette } from './palette.js'

for (const begin of [list, convo, timeline, mail, pictures, sound, composer, being, late, connection, notify, wishes, board, screens, keys, palette, nav, mentions, drawers, stream]) begin()
