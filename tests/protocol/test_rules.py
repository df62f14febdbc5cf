"""The rules of the protocol that are easily left out, each with the tests that fail without it.

=== ================================================ ===============================================
§   rule                                             test
=== ================================================ ===============================================
2   content is strict UTF-8, and not too deep        each_fault_has_its_name
2   … and is then kept byte for byte                 content_and_meta_are_kept_byte_for_byte
3   base comes with every hello                      uploads_come_in_slices_with_their_base
3   … at the own top if there are no messages        base_at_the_own_top_moves_it_there
3   a base that differs: fork, nothing is stored     base_of_another_history_is_a_fork_and_nothing_is_stored
3   … without any message too                        base_at_the_own_top_shows_a_fork_without_any_message
3   tips in the first hello of a connection          every_device_is_tipped_in_the_first_hello_of_a_connection
3   … and for what the last upto did not cover       a_device_is_tipped_again_while_the_server_has_less_of_it
3   … and for what was wanted                        a_device_that_was_wanted_is_tipped_again
3   without a checked tip a page carries nothing     of_a_device_without_a_tip_a_reply_carries_nothing
3   … and a push neither                             of_a_device_without_a_tip_a_push_carries_nothing
3   … until the tip can be compared                  a_tip_is_compared_once_the_server_has_that_entry_again
3   another digest: diverged, upto 0, nothing comes  a_device_with_another_digest_is_diverged
3   … until it is begun anew                         a_diverged_device_stays_so_until_it_is_begun_anew
3   want begins at the server's top                  what_is_lost_is_wanted_from_the_top_on
3   … so that a fork shows                           the_overlap_shows_a_fork
3   page, tops and floors are of one snapshot        a_page_and_what_it_covers_come_from_one_snapshot
3   … those of a push too                            a_push_and_what_it_covers_come_from_one_snapshot
3   a push comes only after the one before it        a_push_comes_only_after_the_one_before_it
3   upto of a push names nothing that is unsent      upto_of_a_push_names_nothing_that_is_unsent
3   sent begins at the lesser of have and top        sent_begins_where_reader_and_server_agree
3   … of a remembered cursor too                     sent_begins_where_a_cursor_and_the_server_agree
3   lost own entries first, alone, and more          lost_own_entries_come_first_and_alone
3   … stored only on top of what is proven           own_entries_of_the_server_wait_until_ours_are_proven
3   an ack of version 0 is for the oldest open frame an_ack_confirms_the_oldest_frame_that_is_open
3   … that has messages                              a_frame_without_messages_waits_for_no_ack
3   a lower seq of version 0 resets its cursor       a_seq_below_the_servers_resets_the_cursor
3   after a refused append reading goes on           reading_goes_on_while_uploads_are_refused
4   last_synced: what was sent in the frame answered the_answer_moves_it_to_what_was_sent
4   … or the own top, by base                        base_at_the_own_top_moves_it_there
4   … base below the floor proves nothing            base_below_the_floor_proves_nothing
4   … base above the server's seq proves nothing     base_above_the_servers_seq_proves_nothing
4   … a higher seq proves nothing                    a_higher_seq_alone_proves_nothing
4   one covered vector for each log and view         a_grant_fills_the_holes_page_by_page
4   … on the server too                              each_view_has_its_own_cursor
4   log before cursor                                a_page_is_stored_before_it_is_counted
4   … in others' logs too                            anothers_page_is_stored_before_it_is_counted
5   have of another view counts as nothing           have_of_another_view_counts_as_nothing
5   a live view goes on as it began                  a_live_view_goes_on_as_it_began
5   upto of a push of another view is passed over    a_push_under_another_view_covers_nothing
7   not wanted: what lies below the client's floor   what_lies_below_the_clients_floor_is_not_wanted
7   … what was asked for on this connection          a_device_is_wanted_once_a_connection
7   … anything while there is more                   nothing_is_wanted_while_there_is_more_to_page
7   who lacks the first wanted entry stays silent    a_client_that_lacks_the_first_wanted_entry_stays_silent
7   a branch's name is that of its first digest      a_branch_is_named_after_its_device_and_first_digest
7   … so a repetition lands there again              a_crash_before_re_homing_repeats_it_to_the_same_name
7   redactions follow what moves                     redactions_follow_what_moves
7   a server that is ahead is not a fork             a_server_that_is_ahead_is_not_a_fork
7   diverged: have 0 and no tip                      nothing_of_a_diverged_device_is_stored_before_the_branch_has_moved
7   … both histories are kept                        two_histories_of_another_device_are_both_kept
7   a fork in a push is repaired alike               a_push_of_another_history_moves_what_is_held
7   a redaction has its target's scope: the server   the_server_refuses_a_redaction_of_another_scope
7   … at first ingest only                           a_redaction_that_is_there_already_is_not_checked_again
7   … the writer                                     the_writer_refuses_a_redaction_of_another_scope
7   … never when a page is stored                    no_page_is_refused_for_the_scope_of_a_target
7   nothing is stored at or below the floor          nothing_is_stored_at_or_below_the_floor
7   … nor filled in                                  nothing_is_filled_in_below_the_floor_by_another
7   … a batch wholly below it is no ack              a_batch_wholly_below_the_floor_is_no_ack
7   … is skipped if what follows proves it           a_slice_below_the_floor_is_skipped_and_what_follows_proves_it
7   … and re-homed if nothing does                   what_cannot_be_verified_is_re_homed
=== ================================================ ===============================================
"""  # noqa: E501

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (ROOT / "core/tests/protocol", ROOT / "tests/protocol")


def test_every_rule_has_a_test() -> None:
    """A test that is renamed or taken out takes its rule along."""
    rows = re.findall(r"^[2-7] .* ([a-z0-9_]+)$", __doc__ or "", re.MULTILINE)
    tests = {
        name
        for room in ROOMS
        for path in room.glob("test_*.py")
        for name in re.findall(r"^def test_(\w+)", path.read_text(), re.MULTILINE)
    }

    assert len(rows) > 50
    assert [row for row in rows if row not in tests] == []
