from mailer.database.models import CampaignState, DeliveryState


def test_every_state_of_a_campaign_and_of_a_message_has_words() -> None:
    assert all(state.words for state in (*CampaignState, *DeliveryState))
