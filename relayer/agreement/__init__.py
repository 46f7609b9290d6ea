"""Several endpoints of one chain behind the ports of one: who is asked, who is believed, who acts."""
