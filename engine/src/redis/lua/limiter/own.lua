-- Which texts are cells. Owns the difference between ours and another application's data. Never takes a number for one by its looks.

-- Units that a number means where each counts as `unit`; nil if it means none.
local function counted(text, unit)
  local count = tonumber(text)
  count = count and floor(count / unit + 0.5)
  return count and format('%.0f', count * unit) == text and count or nil
end

-- Whether the text is a cell of some limit; of a window's own, where `unit` is more than 0.
local function own(cell, unit)
  if unit and unit > 0 then
    return cell == '' or counted(cell, unit)
  end
  local letter = byte(cell)
  return not letter or ((letter == 98 or letter == 102 or letter == 115) and kept(cell, letter))
end
